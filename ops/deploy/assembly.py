"""The cloud assembly that is shown, confirmed and deployed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ops.deploy.errors import DeployRefusedError

ALL = "--all"


@dataclass(frozen=True, slots=True)
class Assembly:
    """A folder that `cdk synth` has written."""

    folder: Path

    def stacks(self, names: Sequence[str], *, exclusively: bool = False) -> list[str]:
        """The stacks that CDK deploys if it gets these names, each after those that it depends on.

        names: ids such as Serving, or `--all`. exclusively: without the stacks that come before them.

        Raises DeployRefusedError for a name that no stack has.
        """
        before = self._before()
        wanted: set[str] = set()
        for name in names:
            if name == ALL:
                wanted |= set(before)
            elif name not in before:
                raise DeployRefusedError(f"There is no stack {name!r}. The stacks are {', '.join(before)}.")
            else:
                wanted |= {name} if exclusively else {name, *before[name]}
        return [stack for stack in before if stack in wanted]

    def _before(self) -> dict[str, set[str]]:
        """Each stack, in the order of the manifest, with all that come before it."""
        artifacts: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
        stacks = {name for name, artifact in artifacts.items() if artifact["type"] == "aws:cloudformation:stack"}
        direct = {name: stacks & set(artifacts[name].get("dependencies", [])) for name in artifacts if name in stacks}
        found: dict[str, set[str]] = {}
        for stack in TopologicalSorter(direct).static_order():
            found[stack] = direct[stack].union(*(found[other] for other in direct[stack]))
        return {stack: found[stack] for stack in direct}
