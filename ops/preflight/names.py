"""Physical names that the stacks give, and that something else in the account may have already."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error, warning
from ops.preflight.target import Target

SUBJECT = "names"


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """A name that one of the stacks gives."""

    what: str
    """Such as `log group`."""
    name: str
    stack: str
    """The kind of the stack that gives it."""
    is_taken: Callable[[Target, str], bool]
    needs: str
    delete: str
    """The command that makes it free."""
    otherwise: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def title(self) -> str:
        return f"the {self.what} {self.name}"

    def check(self, target: Target) -> Iterator[Finding]:
        """The name is in use, and not by this deployment."""
        if self.is_taken(target, self.name) and not _is_own(target, self):
            yield (error if self.severity == "error" else warning)(
                SUBJECT,
                f"There is already a {self.what} {self.name}, which {target.environment.stack(self.stack)} would "
                "create.",
                f"{self.delete} --region {target.region}",
                self.otherwise,
            )


def checks(target: Target) -> Iterator[Check]:
    for name in names(target):
        yield Check(
            subject=SUBJECT,
            title=name.title,
            needs=f"{name.needs} and cloudformation:ListStackResources",
            find=name.check,
        )


def names(target: Target) -> list[Name]:
    """Every physical name that the stacks of this deployment give, except their own."""
    endpoint = target.settings.serving.endpoint_name
    found: list[Name] = []
    if "serving" in target.stacks:
        found.append(
            Name(
                what="endpoint",
                name=endpoint,
                stack="serving",
                is_taken=_has_endpoint,
                needs="sagemaker:DescribeEndpoint",
                delete=f"aws sagemaker delete-endpoint --endpoint-name {endpoint}",
                otherwise="Or give this one another name: -c serving.endpoint_name=...",
            )
        )
        found.append(_log_group(f"/aws/sagemaker/Endpoints/{endpoint}", "serving"))
    if target.builds_image:
        project = f"{target.environment.stack('serving')}-image"
        found.append(_log_group(f"/aws/codebuild/{project}", "serving"))
        found.append(
            Name(
                what="CodeBuild project",
                name=project,
                stack="serving",
                is_taken=_has_project,
                needs="codebuild:BatchGetProjects",
                delete=f"aws codebuild delete-project --name {project}",
            )
        )
    if "training" in target.stacks:
        group = target.environment.job_prefix
        found.append(
            Name(
                what="model package group",
                name=group,
                stack="training",
                is_taken=_has_model_group,
                needs="sagemaker:DescribeModelPackageGroup",
                delete=f"aws sagemaker delete-model-package-group --model-package-group-name {group}",
                otherwise="SageMaker deletes a group without versions only.",
            )
        )
    if "api" in target.stacks:
        function = target.environment.function_name
        found.append(
            Name(
                what="Lambda function",
                name=function,
                stack="api",
                is_taken=_has_function,
                needs="lambda:GetFunction",
                delete=f"aws lambda delete-function --function-name {function}",
            )
        )
    if "api" in target.stacks and target.settings.api.http:
        found.append(_log_group(f"/aws/vendedlogs/http-api/{target.environment.stack('api')}", "api"))
    if "monitoring" in target.stacks:
        dashboard = f"{target.environment.prefix}-{target.region}"
        found.append(
            Name(
                what="dashboard",
                name=dashboard,
                stack="monitoring",
                is_taken=_has_dashboard,
                needs="cloudwatch:GetDashboard",
                delete=f"aws cloudwatch delete-dashboards --dashboard-names {dashboard}",
                otherwise="The deploy may overwrite it.",
                severity="warning",  # AWS does not document whether CloudFormation refuses it
            )
        )
    return found


def _log_group(name: str, stack: str) -> Name:
    return Name(
        what="log group",
        name=name,
        stack=stack,
        is_taken=_has_log_group,
        needs="logs:DescribeLogGroups",
        delete=f"aws logs delete-log-group --log-group-name {name}",
    )


def _exists(call: Callable[..., object], *missing: str, **arguments: str) -> bool:
    """Whether a call finds what it names. missing: the codes with which the service refuses what does not exist."""
    try:
        call(**arguments)
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] in missing:
            return False
        raise
    return True


def _has_endpoint(target: Target, name: str) -> bool:
    return _exists(target.client("sagemaker").describe_endpoint, "ValidationException", EndpointName=name)


def _has_model_group(target: Target, name: str) -> bool:
    describe = target.client("sagemaker").describe_model_package_group
    return _exists(describe, "ValidationException", ModelPackageGroupName=name)


def _has_function(target: Target, name: str) -> bool:
    return _exists(target.client("lambda").get_function, "ResourceNotFoundException", FunctionName=name)


def _has_dashboard(target: Target, name: str) -> bool:
    codes = ("ResourceNotFound", "DashboardNotFoundError")
    return _exists(target.client("cloudwatch").get_dashboard, *codes, DashboardName=name)


def _has_log_group(target: Target, name: str) -> bool:
    pages = target.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return any(group["logGroupName"] == name for page in pages for group in page["logGroups"])


def _has_project(target: Target, name: str) -> bool:
    return bool(target.client("codebuild").batch_get_projects(names=[name])["projects"])


def _is_own(target: Target, name: Name) -> bool:
    """Whether the stack that gives the name has it already. A physical id is a name, or an ARN that ends in it."""
    cloudformation = target.client("cloudformation")
    try:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=target.environment.stack(name.stack)
        )
        ids = [
            resource.get("PhysicalResourceId", "")
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource.get("ResourceStatus") != "DELETE_COMPLETE"  # a failed creation lists what it deleted
        ]
    except ClientError as refusal:
        if "does not exist" in refusal.response["Error"].get("Message", ""):
            return False
        raise
    return any(found == name.name or found.endswith(f"/{name.name}") for found in ids)
