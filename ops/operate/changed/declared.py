"""A resource as its template declares it, what it was changed to, and the call that reads it."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from botocore.exceptions import ClientError

from ops.audit.drift import ANY, References, same
from ops.audit.values import listed
from ops.data.aws_errors import code_and_message
from ops.operate.account import Account, is_missing

_MISSING = re.compile(r"^NoSuch|NotFound|NonExistentQueue|ParameterNotFound")
"""AWS's codes for what does not exist."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A difference between a resource and the template that deployed it."""

    what: str
    """One sentence: the resource, what it is now, and what the template says."""
    put_back: str
    """The command that restores it, or a sentence."""
    kind: str = "changed"
    """Of `of` in runbook.toml: changed, deleted, role, scaling, alerts, key, throttled or endpoint."""
    breaks: bool = True
    """Whether callers can get errors because of it. Otherwise alerts, scaling or logs suffer."""


class Mark(TypedDict):
    """Fields of a change that several of them share."""

    kind: str
    breaks: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """A resource of a deployed template."""

    account: Account
    stack: str
    """The name of the stack."""
    id: str
    """The logical id."""
    type: str
    physical: str
    """The physical id."""
    properties: Mapping[str, Any]
    references: References
    template: Mapping[str, Any]
    """The whole template of the stack."""

    def client(self, service: str) -> Any:
        return self.account.client(service)

    def get(self, *path: str, default: Any = None) -> Any:
        """A property, by its path; `default` if the template leaves it out."""
        found: Any = self.properties
        for name in path:
            if not isinstance(found, Mapping) or name not in found:
                return default
            found = found[name]
        return found

    def text(self, value: Any) -> str:
        """A value of the template as text, without references; what is not known is `...`."""
        return self.references.text(value).replace(ANY, "...")

    def name(self, *path: str) -> str:
        """A property that is a name, without references; empty if it is not known."""
        found = self.references.text(self.get(*path, default=""))
        return "" if ANY in found else found

    @property
    def label(self) -> str:
        """The resource in a sentence, such as `the function kennel-api of kennel-api`."""
        kind = LABELS.get(self.type, self.type)
        name = self.physical.split("|")[0]  # of autoscaling, which has the dimension and the namespace too
        short = re.split("[:/]", name)[-1] if name.startswith("arn:") or "|" in self.physical else name
        return f"the {kind} {short} of {self.stack}"

    def deleted(self, put_back: str = "", kind: str = "deleted", *, breaks: bool = True) -> Change:
        """The resource does not exist."""
        what = f"{_capital(self.label)} does not exist: it was deleted outside the deploy."
        return Change(what=what, put_back=put_back or replace_command(self), kind=kind, breaks=breaks)

    def changed(self, how: str, put_back: str, kind: str = "changed", *, breaks: bool = True) -> Change:
        """how: the end of a sentence, such as `its timeout is 3, and the template has 29`."""
        what = f"{_capital(self.label)} was changed outside the deploy: {how}."
        return Change(what=what, put_back=put_back, kind=kind, breaks=breaks)

    def compared(
        self, what: str, live: Any, wanted: Any, put_back: str, kind: str = "changed", *, breaks: bool = True
    ) -> Iterator[Change]:
        """A change if a value is not that of the template. what: its name, such as `timeout`."""
        if same(wanted, live, self.references):
            return
        how = f"its {what} is {shown(live)}, and the template has {shown(self.resolved(wanted), 'none')}"
        yield self.changed(how, put_back, kind, breaks=breaks)

    def resolved(self, value: Any) -> Any:
        """A value of the template with each reference replaced; `...` for what is not known."""
        if isinstance(value, list):
            return [self.resolved(each) for each in value]
        if isinstance(value, Mapping) and not _is_reference(value):
            return {key: self.resolved(each) for key, each in value.items()}
        return self.text(value) if isinstance(value, Mapping) else value


LABELS: dict[str, str] = {
    "AWS::ApiGatewayV2::Api": "HTTP API",
    "AWS::ApiGatewayV2::Integration": "integration of the HTTP API",
    "AWS::ApiGatewayV2::Route": "route of the HTTP API",
    "AWS::ApiGatewayV2::Stage": "stage of the HTTP API",
    "AWS::ApplicationAutoScaling::ScalableTarget": "autoscaling",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "scaling policy",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::ECR::Repository": "image repository",
    "AWS::Events::Rule": "event rule",
    "AWS::IAM::Role": "role",
    "AWS::KMS::Key": "KMS key",
    "AWS::Lambda::Alias": "alias",
    "AWS::Lambda::Function": "function",
    "AWS::Lambda::Permission": "permission",
    "AWS::Logs::LogGroup": "log group",
    "AWS::S3::Bucket": "bucket",
    "AWS::S3::BucketPolicy": "bucket policy",
    "AWS::SNS::Subscription": "subscription",
    "AWS::SNS::Topic": "topic",
    "AWS::SQS::Queue": "queue",
    "AWS::SSM::Parameter": "parameter",
    "AWS::SageMaker::EndpointConfig": "endpoint config",
    "AWS::SageMaker::Model": "model",
    "AWS::SageMaker::ModelPackageGroup": "model package group",
    "AWS::Scheduler::Schedule": "schedule",
}


def answered(call: Callable[[], Any]) -> Any:
    """The answer of a call; None if AWS says that what it asks for does not exist."""
    try:
        return call()
    except ClientError as error:
        if is_missing(error) or _MISSING.search(code_and_message(error)[0]):
            return None
        raise


def command(*words: Any) -> str:
    """A command for a shell."""
    return shlex.join(str(each) for each in words)


def replace_command(declared: Declared) -> str:
    """How to get back a resource that was deleted: a deploy of an unchanged template makes nothing."""
    kind = declared.stack.removeprefix(declared.account.environment.stack("")).capitalize()
    return f"make deploy STACKS={kind} ARGS=--revert-drift"


def shown(value: Any, nothing: str = "not set") -> str:
    """A value in a sentence. nothing: what stands for no value."""
    if value is None or value in ("", [], {}):
        return nothing
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={shown(each)}" for key, each in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, listed(list(value))))
    return str(value)


def _is_reference(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
