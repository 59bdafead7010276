"""The socket on which the server listens."""

import socket

WAITING = 2048
"""Connections that the system queues until they are accepted."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address. Raises OSError if that fails, and OverflowError for an impossible port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only if the protocol is named; it costs 40 ms for each response on a kept
    # connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(WAITING)  # now: two sockets can be bound to one port, but only one can listen
    except BaseException:
        listener.close()
        raise
    return listener
