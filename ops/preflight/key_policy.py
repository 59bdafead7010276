"""Whom the policy of a KMS key lets decrypt."""

import json
from fnmatch import fnmatchcase
from typing import Any


def decrypters(kms: Any, key: str) -> set[str]:
    """The AWS principals of the statements that allow kms:Decrypt: ARNs, accounts or `*`, whatever their conditions.

    kms: a client. key: the key's id or ARN, in the client's own account, since KMS shows a policy to no other.
    """
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    found: set[str] = set()
    for statement in _listed(policy["Statement"]):
        actions = [str(action).lower() for action in _listed(statement.get("Action", []))]
        if statement["Effect"] == "Allow" and any(fnmatchcase("kms:decrypt", action) for action in actions):
            principal = statement.get("Principal", {})
            found.update(_listed(principal.get("AWS", []) if isinstance(principal, dict) else principal))
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
