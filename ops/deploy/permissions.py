"""The permissions that a deploy changes, from the tables of `cdk diff --security-only`."""

import re
from collections import Counter
from dataclasses import dataclass

from ops.deploy.errors import DeployRefusedError

_STACK = re.compile(r"Stack (\S+)")
_ROW = re.compile(r"│ ([+-]) │")
_NOTE = "(NOTE: "
_TOTAL = re.compile(r"Number of stacks with differences: (\d+)")


@dataclass(frozen=True, slots=True)
class Permissions:
    """Changes of IAM statements, attached policies and security group rules.

    CDK lists the stacks in which something is added; a change that only takes permissions away needs no approval.
    """

    tables: str
    """CDK's tables, with every resource, action, principal and condition. Empty if nothing is added."""
    added: Counter[str]
    """Rows that are added, by stack."""
    removed: Counter[str]

    @classmethod
    def read(cls, printed: str) -> "Permissions":
        """printed: the output of the command, without colours.

        Raises DeployRefusedError if it has another form, so that no change is missed.
        """
        added, removed = Counter[str](), Counter[str]()
        tables: list[str] = []
        stack = note = ""
        for line in printed.splitlines():
            if named := _STACK.match(line):
                stack = named[1]
            elif line.startswith(_NOTE):  # it ends the tables of a stack
                stack, note = "", line
            if stack:
                tables.append(line)
                if row := _ROW.match(line):
                    (added if row[1] == "+" else removed)[stack] += 1
        total = _TOTAL.search(printed)
        if not total or int(total[1]) != len({*added, *removed}):
            raise DeployRefusedError(
                "The output of `cdk diff --security-only` has another form than that of the pinned version. "
                'docs/environments.md, "CDK without make", has the command that asks before each stack. CDK printed: '
                f"{printed[-500:]}"
            )
        return cls("\n".join([*tables, note]).strip(), added, removed)
