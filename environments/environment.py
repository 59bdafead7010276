"""One environment: its identity, its protection, and the physical names that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from contract.declarations import Pattern, declarations
from environments.tags import tags_error

DEFAULT = "development"
"""The environment that is used if none is named."""
DEFAULT_PROJECT = "kennel"

STACKS = ("monitoring", "budget", "storage", "training", "serving", "api", "workbench")
"""In the order of their deployment."""
ON_REQUEST = ("delivery",)
"""Stacks that exist only if a setting asks for them."""
KINDS = (*STACKS, *ON_REQUEST, "classifier")
"""The words that can follow a prefix in a name. No environment may have one of them as its name: the default
environment's stack `serving` is kennel-serving, and the names of an environment `serving` would start with the same
text."""

LONGEST_PREFIX = 21
"""SageMaker allows 63 characters for a training job's name; its digests, instance type and attempt take 42."""

DESIGNED_ENDPOINT = "pytorch-dog-classifier-multi-instance"
"""The endpoint's name in the default environment of the default project."""


class EnvironmentRefusedError(ValueError):
    """An environment that cannot be deployed. The message is one sentence for the user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Protection:
    termination: bool = False
    """Whether CloudFormation refuses to delete the stacks (termination protection)."""
    keep_bucket: bool = False
    """Whether `cdk destroy` leaves the bucket, with photos and artifacts, in the account. If not, the bucket is emptied
    and deleted."""

    def __post_init__(self) -> None:
        _check(self, "protection.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """One deployment. Its prefix is never the start of another environment's prefix.

    Project and environment contain no hyphen, and no environment has a name of `KINDS`.
    """

    name: Annotated[str, Pattern(r"[a-z][a-z0-9]*", "letters a-z and digits, starting with a letter")]
    """The name of the file, without .toml."""
    project: Annotated[str, Pattern(r"[a-z][a-z0-9]*", "letters a-z and digits, starting with a letter")] = (
        DEFAULT_PROJECT
    )
    """Starts the name of each stack and training job. Another project is another, separate deployment."""
    account: Annotated[str, Pattern(r"|[0-9]{12}", "an account number of 12 digits, or empty")] = ""
    """The AWS account. Empty: the account of the credentials. Set: credentials of another account are refused."""
    region: Annotated[str, Pattern(r"|[a-z]{2,}(-[a-z]+)+-[0-9]+", "a region such as eu-west-1, or empty")] = ""
    """The AWS region. Empty: the region that the CDK command line takes, from AWS_REGION, AWS_DEFAULT_REGION, the
    profile, or us-east-1. Set: another region in AWS_REGION is refused."""
    profile: Annotated[str, Pattern(r"|[A-Za-z0-9_./@+][A-Za-z0-9_./@+-]*", "a profile of ~/.aws/config, or empty")] = (
        ""
    )
    """The profile with the credentials. Empty: AWS_PROFILE, or the default profile. Set: another AWS_PROFILE is
    refused."""
    protection: Protection = field(default_factory=Protection)
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of every resource, in addition to `project`, which is always set. At most 46; IAM ignores the case of a
    key."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that differ from their defaults, by section (docs/settings.md)."""

    def __post_init__(self) -> None:
        _check(self, "")
        if self.name in KINDS:
            raise EnvironmentRefusedError(
                f"The environment is called {self.name!r}, but {', '.join(KINDS)} are reserved for names of resources; "
                "give the file another name."
            )
        if len(self.job_prefix) > LONGEST_PREFIX:
            raise EnvironmentRefusedError(
                f"The names of the project, {self.project!r}, and of the environment, {self.name!r}, have "
                f"{len(self.project + self.name)} characters together, but must have at most {LONGEST_PREFIX - 1}: a "
                "training job is named after both. Shorten project, or the name of the file."
            )
        if sentence := tags_error(self.tags):
            raise EnvironmentRefusedError(sentence)

    @property
    def file(self) -> str:
        """The path of the file, for messages."""
        return f"environments/{self.name}.toml"

    @property
    def prefix(self) -> str:
        """Starts the physical names: `kennel` by default, `kennel-production` in the environment `production`."""
        return self.project if self.name == DEFAULT else f"{self.project}-{self.name}"

    @property
    def job_prefix(self) -> str:
        """Starts the names of training jobs. It always has the environment's name: if it were `kennel` in the default
        environment, the permission for `training-job/kennel-*` would include the jobs of `kennel-production`."""
        return f"{self.project}-{self.name}"

    @property
    def endpoint_name(self) -> str:
        if (self.project, self.name) == (DEFAULT_PROJECT, DEFAULT):
            return DESIGNED_ENDPOINT
        return f"{self.prefix}-classifier"

    @property
    def function_name(self) -> str:
        """The Lambda function's name, which is also its stack's."""
        return self.stack("api")

    def stack(self, kind: str) -> str:
        """The name of a stack, such as kennel-storage. kind: one of `STACKS` or `ON_REQUEST`."""
        return f"{self.prefix}-{kind}"


def _check(declared: object, prefix: str) -> None:
    kind: type = type(declared)
    for declaration in declarations(kind).values():
        if sentence := declaration.error(f"{prefix}{declaration.name}", getattr(declared, declaration.name)):
            raise EnvironmentRefusedError(sentence)
