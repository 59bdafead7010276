"""The options that a user gives to CDK through `make deploy ARGS='...'`."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.deploy.errors import DeployRefusedError

CONTEXT = ("-c", "--context")
EXCLUSIVELY = ("-e", "--exclusively")
APPROVAL = "--require-approval"
OWN = ("-a", "--app", "-o", "--output", "--all")
"""What `kennel deploy` gives to CDK itself."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of CDK, as a shell passes them."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, words: Sequence[str]) -> "Options":
        """Raises DeployRefusedError for an option that would deploy something else than what the user confirms."""
        for word in words:
            if word.partition("=")[0] in OWN:
                raise DeployRefusedError(
                    f"{word} is an option that `make deploy` sets itself. Use CDK directly: make cdk ARGS='deploy ...'."
                )
        return cls(tuple(words))

    @property
    def context(self) -> dict[str, str]:
        """The settings that -c and --context override, such as {"training.epochs": "3"}."""
        found: dict[str, str] = {}
        words = iter(self.words)
        for word in words:
            if word in CONTEXT:
                pair = next(words, "")
            elif word.startswith("--context="):
                pair = word.removeprefix("--context=")
            elif word.startswith("-c") and not word.startswith("--"):
                pair = word[2:].removeprefix("=")
            else:
                continue
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise DeployRefusedError(f"-c {pair} has no value. Write -c NAME=VALUE.")
            found[name] = value
        return found

    def check_no_stack(self, stacks: Sequence[str]) -> None:
        """Raises DeployRefusedError for the name of a stack, which CDK would deploy in addition."""
        for word in self.words:
            if word in stacks:
                raise DeployRefusedError(f"{word} is a stack. Name it with STACKS: make deploy STACKS={word}.")

    @property
    def exclusively(self) -> bool:
        """Whether the stacks that come before the named ones are left out."""
        return any(word in EXCLUSIVELY for word in self.words)

    @property
    def approval(self) -> bool:
        """Whether the user wants CDK's own questions."""
        return any(word.partition("=")[0] == APPROVAL for word in self.words)
