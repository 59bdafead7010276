"""A statement of an IAM policy."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """As it is in the policy, a single value as a tuple of one. conditions: JSON with sorted keys."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: str

    @staticmethod
    def all_of(document: Mapping[str, Any]) -> "list[Statement]":
        """The statements of a policy document."""
        found = document.get("Statement", [])
        return [Statement.read(each) for each in ([found] if isinstance(found, Mapping) else found)]

    @staticmethod
    def read(element: Mapping[str, Any]) -> "Statement":
        """One element of `Statement`."""

        def values(name: str) -> tuple[str, ...]:
            found = element.get(name, [])
            return (found,) if isinstance(found, str) else tuple(found)

        return Statement(
            sid=element.get("Sid", ""),
            effect=element["Effect"],
            actions=values("Action"),
            not_actions=values("NotAction"),
            resources=values("Resource"),
            not_resources=values("NotResource"),
            conditions=json.dumps(element.get("Condition", {}), sort_keys=True),
        )

    @property
    def digest(self) -> str:
        """The same for equal statements."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Its Sid, or its actions and conditions: what a reader finds it by, and no name of a resource."""
        actions = ", ".join(self.actions) or f"all but {', '.join(self.not_actions)}"
        return self.sid or " ".join([actions, *self._conditions()])

    def _conditions(self) -> "list[str]":
        return [
            f"if {key} {operator} {value if isinstance(value, str) else ' or '.join(map(str, value))}"
            for operator, keys in json.loads(self.conditions).items()
            for key, value in keys.items()
        ]

    def matching(self, action: str) -> "list[str]":
        """Which of its actions, `*` and `?` included, an action is. IAM compares them without case."""
        return [each for each in self.actions if fnmatchcase(action.lower(), each.lower())]
