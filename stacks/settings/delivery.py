"""Settings of the deployment by GitHub Actions."""

from dataclasses import dataclass
from typing import Annotated

from contract.declarations import Pattern
from stacks.settings.rules import check

_WORD = r"[A-Za-z0-9._-]+"
_ID = r"(@[0-9]+)?"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverySettings:
    repository: Annotated[
        str,
        Pattern(rf"|{_WORD}{_ID}/{_WORD}{_ID}", "OWNER/NAME or OWNER@ID/NAME@ID of a repository on GitHub, or empty"),
    ] = ""
    """OWNER/NAME of the GitHub repository whose workflows deploy this environment without a stored key, or
    OWNER@ID/NAME@ID where GitHub's tokens contain the ids (docs/delivery.md). Empty: there is no stack Delivery, and no
    role that GitHub can assume. Delete a deployed one first: `make destroy STACKS=Delivery`."""
    branch: Annotated[str, Pattern(rf"{_WORD}(/{_WORD})*", "the name of a branch")] = "main"
    """The only branch that may deploy, in jobs of the GitHub environment that has the name of this environment."""
    create_provider: bool = True
    """Whether the stack creates the account's identity provider for GitHub, of which an account has one. False: it
    exists already, and stays when the stack is deleted."""

    def __post_init__(self) -> None:
        check(self, "delivery")
