"""The quotas of the account that these settings need, with the number that they need of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error, unknown, warning
from ops.preflight.service_quotas import Quota, ServiceQuotas
from ops.preflight.target import Target

SUBJECT = "quotas"
PERMISSIONS = (
    "servicequotas:GetServiceQuota, servicequotas:GetAWSDefaultServiceQuota, servicequotas:ListServiceQuotas and "
    "servicequotas:ListAWSDefaultServiceQuotas"
)

DAYS = "AWS takes hours to days."

KEPT_FREE = 10
"""Lambda leaves at least this much of an account's concurrency to functions without provisioned concurrency."""
LAMBDA_REQUEST = 1000
"""AWS's default for Lambda's concurrency, and the least that can be requested where a new account has less."""
CONCURRENCY_CODE = "L-B99A9384"


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A quota, and what the deployment needs of it."""

    service: str
    name: str
    least: int
    """With less, the deploy fails. 0: it does not fail in any case."""
    wanted: int = 0
    """With less, something fails later. 0: the same as `least`."""
    why: str
    """Who needs it, and the settings that say how much."""
    without: str
    """What to deploy until AWS has raised it."""


def checks(target: Target, quotas: ServiceQuotas) -> Iterator[Check]:
    for need in [*sagemaker_needs(target), *codebuild_needs(target)]:
        yield Check(
            subject=SUBJECT,
            title=f"the quota {need.name!r}",
            needs=PERMISSIONS,
            find=partial(check, need, quotas),
        )
    if "api" in target.stacks and target.settings.api.provisioned_concurrency:
        yield Check(
            subject=SUBJECT,
            title="the account's concurrency of Lambda",
            needs="lambda:GetAccountSettings and lambda:ListProvisionedConcurrencyConfigs",
            find=partial(concurrency, quotas=quotas),
        )


def sagemaker_needs(target: Target) -> Iterator[Need]:
    """Instances of SageMaker, by type and by what they do."""
    training, serving, workbench = target.settings.training, target.settings.serving, target.settings.workbench
    drift = target.settings.monitoring.drift
    if target.trains:
        usage = "spot training job usage" if training.spot else "training job usage"
        yield Need(
            service="sagemaker",
            name=f"{training.instance_type} for {usage}",
            least=training.instance_count,
            why=f"the training job runs on {training.instance_count} (training.instance_count)",
            without="-c training.instance_count=1 trains on one instance, and -c training.model_data=s3://... on none",
        )
        for kind in training.fallback_instance_types:
            yield Need(
                service="sagemaker",
                name=f"{kind} for {usage}",
                least=0,
                wanted=training.instance_count,
                why="it is the type that training.fallback_instance_types names if AWS has no capacity for the first",
                without="leave the type out of training.fallback_instance_types",
            )
    if "serving" in target.stacks:
        first, most = serving.initial_instances, serving.scaling.max_instances
        yield Need(
            service="sagemaker",
            name=f"{serving.instance_type} for endpoint usage",
            least=first,
            wanted=2 * most,
            why=f"the endpoint starts with {first} (serving.initial_instances), may grow to {most} "
            "(serving.scaling.max_instances), and an update runs both fleets",
            without="-c serving.scaling.max_instances=1 needs 2",
        )
    if "serving" in target.stacks and drift.daily:
        yield Need(
            service="sagemaker",
            name=f"{drift.instance_type} for processing job usage",
            least=0,
            wanted=1,
            why="the daily drift check runs on it (monitoring.drift.instance_type)",
            without="-c monitoring.drift.daily=false leaves the check out",
        )
    if target.has_notebook:
        yield Need(
            service="sagemaker",
            name=f"{workbench.notebook_instance_type} for notebook instance usage",
            least=1,
            why="the notebook instance runs on it (workbench.notebook_instance_type)",
            without="-c workbench.notebook=false leaves it out",
        )


def codebuild_needs(target: Target) -> Iterator[Need]:
    """CodeBuild accepts five builds in its queue for each that may run: with a quota of 0, none ("Cannot have more than
    0 builds in queue"). https://docs.aws.amazon.com/codebuild/latest/userguide/builds-working.html"""
    if target.builds_image:
        yield Need(
            service="codebuild",
            name="Concurrently running builds for Linux/Small environment",
            least=1,
            why="CodeBuild builds the serving image; with 0 it accepts no build",
            without="-c serving.image_uri=... uses an image that exists",
        )


def check(need: Need, quotas: ServiceQuotas, target: Target) -> Iterator[Finding]:
    """A quota that is smaller than needed."""
    quota = quotas.find(need.service, need.name)
    if quota is None:
        yield unknown(
            SUBJECT,
            f"AWS has no quota {need.name!r} in {target.region}, so it may not offer that there ({need.why}).",
            "Look it up in the console of Service Quotas, or choose another region or type.",
        )
        return
    wanted = need.wanted or need.least
    if quota.value < wanted:
        yield (error if quota.value < need.least else warning)(
            SUBJECT,
            f"The quota {need.name!r} is {quota.value:.0f}, but should be at least {wanted}: {need.why}.",
            quotas.remedy(quota, wanted),
            f"{DAYS} Until then: {need.without}.",
        )


def concurrency(target: Target, quotas: ServiceQuotas) -> Iterator[Finding]:
    """Too little concurrency of Lambda for the provisioned one."""
    provisioned = target.settings.api.provisioned_concurrency
    least = provisioned + KEPT_FREE
    limits = target.client("lambda").get_account_settings()["AccountLimit"]
    total = limits["ConcurrentExecutions"]
    free = limits.get("UnreservedConcurrentExecutions", total)
    if free < least <= total:
        free = min(total, free + _own_provisioned(target))
    if free < least:
        quota = Quota(service="lambda", name="Concurrent executions", code=CONCURRENCY_CODE, value=total)
        reserved = f" ({total - free} of {total} are reserved by functions)" if free < total else ""
        yield error(
            SUBJECT,
            f"The account's concurrency of Lambda is {free}{reserved}, but must be at least {least}: "
            f"api.provisioned_concurrency is {provisioned}, and Lambda keeps {KEPT_FREE} free.",
            quotas.remedy(quota, max(least + total - free, LAMBDA_REQUEST)),
            f"{DAYS} Until then: -c api.provisioned_concurrency=0 deploys without.",
        )


def _own_provisioned(target: Target) -> int:
    """What this deployment's function has already, which Lambda may have taken off the free concurrency.

    PutProvisionedConcurrencyConfig fails with "decreases account's UnreservedConcurrentExecution below its minimum
    value", although AWS documents that value for reserved concurrency alone.
    """
    client = target.client("lambda")
    pages = client.get_paginator("list_provisioned_concurrency_configs")
    try:
        return sum(
            config.get("RequestedProvisionedConcurrentExecutions", 0)
            for page in pages.paginate(FunctionName=target.environment.function_name)
            for config in page["ProvisionedConcurrencyConfigs"]
        )
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] == "ResourceNotFoundException":
            return 0
        raise
