"""Clients with a role's credentials, for services that run longer than a session of the role."""

import time
from collections.abc import Callable
from typing import Any

RENEW_S = 3600.0
"""A client gets a new session of its role after so long. Sessions are good for longer."""


class RenewedClients:
    """make: a new client for a key, with a new session. now: in seconds."""

    def __init__(self, make: Callable[..., Any], now: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._now = now
        self._clients: dict[tuple[str, ...], tuple[float, Any]] = {}

    def get(self, *key: str) -> Any:
        """The client of this key. Making one takes longer than its calls, so it is kept."""
        made, client = self._clients.get(key, (0.0, None))
        if client is None or self._now() - made > RENEW_S:
            made, client = self._now(), self._make(*key)
            self._clients[key] = made, client
        return client
