"""What the engine decided: which call was allowed or denied, and by which statements of the caller's policies."""

import contextvars
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ministack.core import iam_evaluator

from rehearsal.cloud.statement import Statement


@dataclass(frozen=True, slots=True)
class Decision:
    """A call that the engine allowed or denied.

    principal: the caller's ARN, "root" for the account's own key, or empty if the credentials are wrong.
    needs: the digests of the caller's statements (`Statement.digest`) without any one of which the engine would have
        decided otherwise.
    key: the access key of the caller; empty if a service called.
    """

    principal: str
    action: str
    resource: str
    region: str
    context: Mapping[str, Any]
    denied: str
    needs: tuple[str, ...]
    key: str = ""


class Decisions:
    """Observes the engine's `enforce`, and asks it again with each statement of the caller taken away in turn.

    It is asked at once, because the policies, the resource's own policy and its tags are then those of the call.
    """

    def __init__(self) -> None:
        self.listeners: list[Callable[[Decision], None]] = []
        self._enforce = iam_evaluator.enforce
        self._resolve = iam_evaluator.resolve_principal
        self._known: dict[str, tuple[str, ...]] = {}
        self._caller: contextvars.ContextVar[Any] = contextvars.ContextVar("caller", default=None)
        self._any_resource: contextvars.ContextVar[bool] = contextvars.ContextVar("any_resource", default=False)
        self._without: contextvars.ContextVar[tuple[int, int] | None] = contextvars.ContextVar("without", default=None)
        iam_evaluator.enforce, iam_evaluator.resolve_principal = self._observed, self._resolved

    def publish(self, decision: Decision) -> None:
        """Call the listeners."""
        for listener in self.listeners:
            listener(decision)

    @contextmanager
    def on_any_resource(self) -> Iterator[None]:
        """Let each Allow of the caller be for every resource: for a call whose resource does not exist yet."""
        token = self._any_resource.set(True)
        try:
            yield
        finally:
            self._any_resource.reset(token)

    def _resolved(self, *arguments: Any, **named: Any) -> Any:
        found, without = self._resolve(*arguments, **named), self._without.get()
        if not isinstance(found, iam_evaluator.PrincipalInfo) or not found.policies:
            self._caller.set(found)
            return found
        if self._any_resource.get():
            found = replace(found, policies=[[_for_any_resource(each) for each in policy] for policy in found.policies])
        if without:
            policy, index = without
            fewer = list(found.policies)
            fewer[policy] = fewer[policy][:index] + fewer[policy][index + 1 :]
            return replace(found, policies=fewer)
        self._caller.set(found)
        return found

    def _observed(
        self,
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        def enforce() -> Any:
            return self._enforce(
                access_key_id, iam_action, service, region, resource_arn=resource_arn, service_context=service_context
            )

        self._caller.set(None)
        denied = enforce()
        principal, policies = _identity(self._caller.get())
        refused = _refusal(denied)
        decision = Decision(
            principal, iam_action, resource_arn, region, dict(service_context or {}), refused, (), access_key_id
        )
        if policies:
            decision = replace(decision, needs=self._needs(enforce, decision, policies))
        self.publish(decision)
        return denied

    def _needs(self, enforce: Callable[[], Any], decision: Decision, policies: Any) -> tuple[str, ...]:
        role = decision.principal.rpartition("/")[0]  # every session of a role has its policies
        call = [role, decision.action, decision.resource, decision.region, decision.context, decision.denied]
        key = hashlib.sha256(f"{json.dumps(call, default=str)}{policies}".encode()).hexdigest()
        if key not in self._known:
            self._known[key] = tuple(
                _digest(statement)
                for number, statements in enumerate(policies)
                for index, statement in enumerate(statements)
                if self._decided(enforce, (number, index)) != bool(decision.denied)
            )
        return self._known[key]

    def _decided(self, enforce: Callable[[], Any], without: tuple[int, int]) -> bool:
        token = self._without.set(without)
        try:
            return enforce() is not None
        finally:
            self._without.reset(token)


def _identity(caller: Any) -> tuple[str, Any]:
    """Who a caller is, as in `Decision`, and its policies. The root has none, nor has one with a wrong key."""
    if not isinstance(caller, iam_evaluator.PrincipalInfo):
        return "", None
    return ("root", None) if caller.policies is None else (caller.arn, caller.policies)


def _refusal(denied: Any) -> str:
    """How a call was denied: by a policy, or because of its credentials. Empty if it was allowed."""
    if denied is None:
        return ""
    return str(denied.code if isinstance(denied, iam_evaluator.AuthError) else denied.decision)


def _for_any_resource(parsed: Any) -> Any:
    return replace(parsed, resources=["*"], not_resources=[]) if parsed.effect == "Allow" else parsed


def _digest(parsed: Any) -> str:
    return Statement(
        sid=parsed.sid,
        effect=parsed.effect,
        actions=tuple(parsed.actions),
        not_actions=tuple(parsed.not_actions),
        resources=tuple(parsed.resources),
        not_resources=tuple(parsed.not_resources),
        conditions=json.dumps(parsed.conditions, sort_keys=True),
    ).digest
