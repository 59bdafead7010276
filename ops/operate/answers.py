"""Questions to AWS, of which one that is refused leaves the others answered."""

from collections.abc import Callable
from typing import TypeVar

from ops.operate.account import AccountError

Found = TypeVar("Found")


class Answers:
    """Collects what AWS did not say."""

    def __init__(self) -> None:
        self._unknown: dict[str, None] = {}

    @property
    def unknown(self) -> tuple[str, ...]:
        """A sentence for each question without an answer, with the reason."""
        return tuple(self._unknown)

    def of(self, ask: Callable[[], Found], otherwise: Found) -> Found:
        """The answer; `otherwise` if AWS refuses it."""
        try:
            return ask()
        except AccountError as error:
            self._unknown[str(error)] = None
            return otherwise
