"""What is left of an environment in the account, and which of that bills."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from environments import Environment

Client = Callable[[str], Any]
"""From the name of a service to its boto3 client."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource that may be left."""

    name: str
    bills: bool
    find: Callable[[Client, Environment], Iterator[str]]
    remedy: str
    """The command that deletes one; {} is its name."""


@dataclass(frozen=True, slots=True)
class Left:
    """A resource that still exists."""

    kind: str
    name: str
    bills: bool
    remedy: str


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, and what these credentials could not look up."""

    left: tuple[Left, ...]
    unknown: tuple[str, ...]
    """A sentence for each kind that AWS did not list."""

    @property
    def billing(self) -> tuple[Left, ...]:
        return tuple(each for each in self.left if each.bills)


def look(client: Client, environment: Environment) -> Look:
    """Look for every kind of resource that the environment's stacks can create."""
    left: list[Left] = []
    unknown: list[str] = []
    for kind in KINDS:
        try:
            names = sorted(kind.find(client, environment))
        except ClientError as error:
            details = error.response["Error"]
            unknown.append(f"{kind.name}: AWS did not list them ({details['Code']}: {details['Message']}).")
        except BotoCoreError as error:
            unknown.append(f"{kind.name}: AWS could not be reached ({error}).")
        else:
            left += [Left(kind.name, name, kind.bills, kind.remedy.format(name)) for name in names]
    return Look(tuple(left), tuple(unknown))


def _stacks(client: Client, environment: Environment) -> Iterator[str]:
    for page in client("cloudformation").get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            if _own(stack["StackName"], environment) and stack["StackStatus"] != "DELETE_COMPLETE":
                yield stack["StackName"]


def _endpoints(client: Client, environment: Environment) -> Iterator[str]:
    for page in client("sagemaker").get_paginator("list_endpoints").paginate(NameContains=environment.prefix):
        yield from (each["EndpointName"] for each in page["Endpoints"] if _own(each["EndpointName"], environment))


def _notebooks(client: Client, environment: Environment) -> Iterator[str]:
    """By their tags: CloudFormation's name for one does not have the stack's name in it."""
    wanted = {**environment.tags, "project": environment.project}.items()
    for page in client("sagemaker").get_paginator("list_notebook_instances").paginate():
        for each in page["NotebookInstances"]:
            tags = client("sagemaker").list_tags(ResourceArn=each["NotebookInstanceArn"])["Tags"]
            if wanted <= {tag["Key"]: tag["Value"] for tag in tags}.items():
                yield each["NotebookInstanceName"]


def _jobs(client: Client, environment: Environment) -> Iterator[str]:
    pages = client("sagemaker").get_paginator("list_training_jobs")
    for page in pages.paginate(NameContains=environment.job_prefix, StatusEquals="InProgress"):
        for each in page["TrainingJobSummaries"]:
            if _own(each["TrainingJobName"], environment):
                yield each["TrainingJobName"]


def _provisioned(client: Client, environment: Environment) -> Iterator[str]:
    pages = client("lambda").get_paginator("list_provisioned_concurrency_configs")
    for name in _functions(client, environment):
        if any(page["ProvisionedConcurrencyConfigs"] for page in pages.paginate(FunctionName=name)):
            yield name


def _functions(client: Client, environment: Environment) -> Iterator[str]:
    for page in client("lambda").get_paginator("list_functions").paginate():
        yield from (each["FunctionName"] for each in page["Functions"] if _own(each["FunctionName"], environment))


def _tagged(environment: Environment) -> list[dict[str, Any]]:
    tags = {**environment.tags, "project": environment.project}
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def _instances(client: Client, environment: Environment) -> Iterator[str]:
    alive = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
    pages = client("ec2").get_paginator("describe_instances").paginate(Filters=[*_tagged(environment), alive])
    for page in pages:
        for reservation in page["Reservations"]:
            yield from (each["InstanceId"] for each in reservation["Instances"])


def _volumes(client: Client, environment: Environment) -> Iterator[str]:
    for page in client("ec2").get_paginator("describe_volumes").paginate(Filters=_tagged(environment)):
        yield from (each["VolumeId"] for each in page["Volumes"])


def _gateways(client: Client, environment: Environment) -> Iterator[str]:
    pages = client("ec2").get_paginator("describe_nat_gateways").paginate(Filters=_tagged(environment))
    for page in pages:
        yield from (each["NatGatewayId"] for each in page["NatGateways"] if each["State"] != "deleted")


def _addresses(client: Client, environment: Environment) -> Iterator[str]:
    found = client("ec2").describe_addresses(Filters=_tagged(environment))["Addresses"]
    yield from (each["AllocationId"] for each in found)


def _buckets(client: Client, environment: Environment) -> Iterator[str]:
    yield from (each["Name"] for each in client("s3").list_buckets()["Buckets"] if _own(each["Name"], environment))


def _repositories(client: Client, environment: Environment) -> Iterator[str]:
    for page in client("ecr").get_paginator("describe_repositories").paginate():
        yield from (
            each["repositoryName"] for each in page["repositories"] if _own(each["repositoryName"], environment)
        )


def _log_groups(client: Client, environment: Environment) -> Iterator[str]:
    pages = client("logs").get_paginator("describe_log_groups")
    for start in ("", "/aws/lambda/", "/aws/codebuild/", "/aws/sagemaker/Endpoints/", "/aws/vendedlogs/"):
        for page in pages.paginate(logGroupNamePrefix=f"{start}{environment.prefix}-"):
            yield from (each["logGroupName"] for each in page["logGroups"])


def _alarms(client: Client, environment: Environment) -> Iterator[str]:
    """The stacks', and those that Application Auto Scaling makes for a scaling policy."""
    pages = client("cloudwatch").get_paginator("describe_alarms")
    for start in (f"{environment.prefix}-", f"TargetTracking-endpoint/{environment.endpoint_name}/"):
        for page in pages.paginate(AlarmNamePrefix=start):
            yield from (each["AlarmName"] for each in (*page["MetricAlarms"], *page.get("CompositeAlarms", [])))


def _dashboards(client: Client, environment: Environment) -> Iterator[str]:
    pages = client("cloudwatch").get_paginator("list_dashboards")
    for page in pages.paginate(DashboardNamePrefix=f"{environment.prefix}-"):
        yield from (each["DashboardName"] for each in page["DashboardEntries"])


def _keys(client: Client, environment: Environment) -> Iterator[str]:
    """Keys that are not about to be deleted. The tagging service also lists resources that are gone already."""
    tags = {**environment.tags, "project": environment.project}
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=filters, ResourceTypeFilters=["kms:key"]):
        for each in page["ResourceTagMappingList"]:
            key = client("kms").describe_key(KeyId=each["ResourceARN"])["KeyMetadata"]
            if key["KeyState"] != "PendingDeletion":
                yield key["KeyId"]


def _own(name: str, environment: Environment) -> bool:
    """No other environment has a name that starts like this (environments/environment.py)."""
    return name.lower().startswith(f"{environment.prefix}-")


DELETE_PROVISIONED = "aws lambda delete-provisioned-concurrency-config --qualifier live --function-name {}"
EMPTY_AND_DELETE = "import boto3; b = boto3.resource('s3').Bucket('{}'); b.object_versions.delete(); b.delete()"
DELETE_BUCKET = f'.venv/bin/python -c "{EMPTY_AND_DELETE}"'
"""With every version of every object, which `aws s3 rb --force` does not delete."""

KINDS = (
    Kind("endpoint", True, _endpoints, "aws sagemaker delete-endpoint --endpoint-name {}"),
    Kind("notebook instance", True, _notebooks, "aws sagemaker stop-notebook-instance --notebook-instance-name {}"),
    Kind("training job that runs", True, _jobs, "aws sagemaker stop-training-job --training-job-name {}"),
    Kind("EC2 instance", True, _instances, "aws ec2 terminate-instances --instance-ids {}"),
    Kind("volume", True, _volumes, "aws ec2 delete-volume --volume-id {}"),
    Kind("NAT gateway", True, _gateways, "aws ec2 delete-nat-gateway --nat-gateway-id {}"),
    Kind("public address", True, _addresses, "aws ec2 release-address --allocation-id {}"),
    Kind("provisioned concurrency", True, _provisioned, DELETE_PROVISIONED),
    Kind("bucket", True, _buckets, DELETE_BUCKET),
    Kind("image repository", True, _repositories, "aws ecr delete-repository --force --repository-name {}"),
    Kind("KMS key", True, _keys, "aws kms schedule-key-deletion --pending-window-in-days 7 --key-id {}"),
    Kind("alarm", True, _alarms, "aws cloudwatch delete-alarms --alarm-names {}"),
    Kind("dashboard", True, _dashboards, "aws cloudwatch delete-dashboards --dashboard-names {}"),
    Kind("log group", True, _log_groups, "aws logs delete-log-group --log-group-name {}"),
    Kind("function", False, _functions, "aws lambda delete-function --function-name {}"),
    Kind("stack", False, _stacks, "make destroy ENV=smoke  # {}"),
)
"""Those that cost most first. A log group bills by what it stores, a dashboard from the fourth of an account on."""
