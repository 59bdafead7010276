"""When a role, its services and an access key were used: GetRole, GetServiceLastAccessedDetails, GetAccessKeyLastUsed.

The engine answers that nothing was ever used. Here each call that it decides counts, as on AWS also one that is denied:
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from ministack.services import iam

from rehearsal.cloud.api import Json
from rehearsal.cloud.engine.decisions import Decision

_ROLE = re.compile(r":assumed-role/([^/]+)/")


class LastUsed:
    """The last call of each role, of each service by each role, and with each access key."""

    def __init__(self) -> None:
        self._roles: dict[str, tuple[datetime, str]] = {}
        self._services: dict[tuple[str, str], datetime] = {}
        self._keys: dict[str, tuple[datetime, str, str]] = {}

    def __call__(self, decision: Decision) -> None:
        now, service = datetime.now(UTC), decision.action.partition(":")[0]
        found = _ROLE.search(decision.principal)
        if found:
            self._roles[found[1]] = now, decision.region
            self._services[found[1], service] = now
        if decision.key and decision.principal:
            self._keys[decision.key] = now, decision.region, service

    def answer(self) -> None:
        """Let the engine's IAM answer with it."""
        shown = iam._role_xml

        def role(name: str, boundary: bool = True) -> str:
            text = str(shown(name, boundary))
            if name in self._roles and boundary:  # ListRoles, which asks without the boundary, has no RoleLastUsed
                when, region = self._roles[name]
                used = f"<LastUsedDate>{_text(when)}</LastUsedDate><Region>{region}</Region>"
                text += f"<RoleLastUsed>{used}</RoleLastUsed>"
            return text

        iam._role_xml = role
        self._replace("GetAccessKeyLastUsed", self._key)
        self._replace("GetServiceLastAccessedDetails", self._details)

    def _replace(self, operation: str, change: Callable[[Json, str], str]) -> None:
        handler = iam._IAM_HANDLERS[operation]

        def answered(parameters: Json) -> Any:
            status, headers, body = handler(parameters)
            if status != 200:
                return status, headers, body
            text = change(parameters, body.decode() if isinstance(body, bytes) else body)
            return status, headers, text.encode() if isinstance(body, bytes) else text

        iam._IAM_HANDLERS[operation] = answered

    def _key(self, parameters: Json, body: str) -> str:
        key = str(iam._p(parameters, "AccessKeyId"))
        if key not in self._keys:
            return body
        when, region, service = self._keys[key]
        used = (
            f"<LastUsedDate>{_text(when)}</LastUsedDate><Region>{region}</Region><ServiceName>{service}</ServiceName>"
        )
        never = "<Region>N/A</Region><ServiceName>N/A</ServiceName>"
        return body.replace(never, used)

    def _details(self, parameters: Json, body: str) -> str:
        job = iam._sla_jobs[iam._p(parameters, "JobId")]
        role = str(job["Arn"]).rpartition("/")[2]
        members = "".join(self._member(role, job["Arn"], service) for service in sorted(set(_allowed(role))))
        empty = "<ServicesLastAccessed></ServicesLastAccessed>"
        return body.replace(empty, f"<ServicesLastAccessed>{members}</ServicesLastAccessed>")

    def _member(self, role: str, arn: str, service: str) -> str:
        when = self._services.get((role, service))
        used = f"<LastAuthenticated>{_text(when)}</LastAuthenticated>" if when else ""
        by = f"<LastAuthenticatedEntity>{escape(arn)}</LastAuthenticatedEntity>" if when else ""
        name = f"<ServiceName>{escape(service)}</ServiceName><ServiceNamespace>{escape(service)}</ServiceNamespace>"
        total = f"<TotalAuthenticatedEntities>{int(when is not None)}</TotalAuthenticatedEntities>"
        return f"<member>{name}{used}{by}{total}</member>"


def _allowed(role: str) -> Iterator[str]:
    """The services that the policies of a role name."""
    record: Json = iam._roles.get(role, {})
    documents = [*record.get("InlinePolicies", {}).values()]
    for arn in record.get("AttachedPolicies", []):
        policy = iam._lookup_policy(arn) or {}
        versions = policy.get("Versions", {}).values()
        documents += [each["Document"] for each in versions if each.get("IsDefaultVersion")]
    for document in documents:
        parsed = json.loads(document) if isinstance(document, str) else document
        for statement in _listed(parsed["Statement"]):
            for action in _listed(statement.get("Action", [])):
                yield action.partition(":")[0]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
