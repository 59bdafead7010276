"""Sessions of roles, and calls that are decided without being made."""

import contextvars
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, responses
from ministack.services import iam, sts

from rehearsal.cloud.api import AwsError, Credentials, Request
from rehearsal.cloud.engine.decisions import Decision, Decisions
from rehearsal.cloud.engine.trust import trusts

_SESSION_S = 12 * 3600


class Roles:
    """The part of the engine that knows who may do what."""

    def __init__(self) -> None:
        self.account = responses.get_account_id()
        self.region = responses.get_region()
        self._decisions = Decisions()

    def on_decision(self, listener: Callable[[Decision], None]) -> None:
        """Call `listener` with every call that was allowed or denied."""
        self._decisions.listeners.append(listener)

    def credentials(self, role_arn: str, session: str, service: str, *, source: str = "") -> Credentials:
        """See `Engine`."""
        name = role_arn.rsplit("/", 1)[-1]
        self._check_trust(role_arn, name, service, source)
        unique = hashlib.sha256(f"{role_arn}:{session}:{secrets.token_hex(16)}".encode()).hexdigest()
        credentials = Credentials(f"ASIA{unique[:16].upper()}", unique[16:56], secrets.token_urlsafe(64))
        sts.register_session(
            credentials.access_key,
            {
                "Arn": f"arn:aws:sts::{self.account}:assumed-role/{name}/{session}",
                "UserId": f"{name}:{session}",
                "SecretAccessKey": credentials.secret_key,
                "SessionToken": credentials.token,
                "Expiration": time.time() + _SESSION_S,
            },
        )
        return credentials

    def _check_trust(self, role_arn: str, name: str, service: str, source: str) -> None:
        role = iam._roles.get(name)
        if role is None:
            raise AwsError("ValidationException", f"Could not assume role {role_arn}. It does not exist.")
        if not trusts(role.get("AssumeRolePolicyDocument", ""), service, self.account, self.region, source):
            raise AwsError(
                "ValidationException",
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'{service}' to assume the role.",
            )

    def check(self, credentials: Credentials, action: str, resource: str, **context: str) -> None:
        """See `Engine`."""
        self.check_key(credentials.access_key, action, resource, context)

    def check_pass_role(self, request: Request, role_arn: str, service: str) -> None:
        """See `Engine`. The engine itself never asks for iam:PassRole."""
        self.check_key(request.key, "iam:PassRole", role_arn, {"iam:PassedToService": service})

    def check_any(self, credentials: Credentials, action: str) -> None:
        """Raises AwsError if these credentials allow the action on no resource at all."""
        with self._decisions.on_any_resource():
            self.check(credentials, action, "*")

    def check_key(self, key: str, action: str, resource: str, context: Mapping[str, str]) -> None:
        """Raises AwsError if the owner of an access key may not make this call."""

        def enforce() -> Any:
            app.pin_request_origin("127.0.0.1", True)
            service = action.partition(":")[0]
            return iam_evaluator.enforce(
                key, action, service, self.region, resource_arn=resource, service_context=dict(context)
            )

        denied = contextvars.copy_context().run(enforce)  # the origin is that of this call alone
        if denied is None:
            return
        if isinstance(denied, iam_evaluator.AuthError):
            raise AwsError(denied.code, denied.message)
        explicit = denied.decision == "Deny"
        message = iam_actions.identity_denial_message(action, denied.principal_arn, resource, explicit)
        raise AwsError("AccessDeniedException", message)

    def check_service(self, service: str, action: str, resource: str, source: str) -> None:
        """Raises AwsError unless the policy of a resource lets a service principal call it for `source`, an ARN."""
        policy = iam_evaluator._resource_policy(action.partition(":")[0], resource)
        context = iam_evaluator.EvalContext(
            principal_arn="*",
            principal_type="Service",
            principal_account=self.account,
            action=action,
            resource_arn=resource,
            region=self.region,
            source_ip="127.0.0.1",
            secure_transport=True,
            service_context={"aws:sourcearn": source, "aws:sourceaccount": self.account},
        )
        found = iam_evaluator.evaluate_resource_policy(policy[0] if policy else None, context, service=service)
        denied = "" if found.decision == "Allow" else found.decision
        self._decisions.publish(
            Decision(service, action, resource, self.region, {"aws:SourceArn": source}, denied, needs=())
        )
        if denied:
            raise AwsError(
                "AccessDeniedException",
                f"{service} is not authorized to perform: {action} on resource: {resource} because no resource-based "
                f"policy allows the {action} action",
            )
