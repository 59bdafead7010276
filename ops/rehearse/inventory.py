"""Everything that exists in the account of a rehearsal, in services that Kennel uses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

Client = Callable[[str], Any]
Thing = tuple[str, str]
"""A kind and a name."""

BY_DESIGN = {
    ("log group", "/aws/sagemaker/TrainingJobs"): "SageMaker's own, for the jobs of the whole account",
}
"""What a destroy leaves, and why. Training jobs cannot be deleted, and are not listed."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was found, and the kinds that the local AWS does not list."""

    things: frozenset[Thing]
    unlisted: tuple[str, ...]


def inventory(client: Client) -> Inventory:
    """List it. client: from the name of a service to its boto3 client."""
    things: set[Thing] = set()
    unlisted: list[str] = []
    for kind, names in LISTS.items():
        try:
            things |= {(kind, name) for name in names(client)}
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_IMPLEMENTED:
                raise
            unlisted.append(kind)
    return Inventory(frozenset(things), tuple(unlisted))


def _pages(service: str, operation: str, key: str, name: str, **arguments: Any) -> Callable[[Client], Iterable[str]]:
    """A list of one API call: `key` in its pages, and the name of each entry. `name`: empty for a list of names."""

    def names(client: Client) -> Iterable[str]:
        opened = client(service)
        if opened.can_paginate(operation):
            pages = opened.get_paginator(operation).paginate(**arguments)
        else:
            pages = [getattr(opened, operation)(**arguments)]
        for page in pages:
            for each in page.get(key, []):
                yield each[name] if name else each

    return names


def _stacks(client: Client) -> Iterable[str]:
    for page in client("cloudformation").get_paginator("describe_stacks").paginate():
        yield from (each["StackName"] for each in page["Stacks"] if each["StackStatus"] != "DELETE_COMPLETE")


def _keys(client: Client) -> Iterable[str]:
    """Those that are not about to be deleted."""
    for page in client("kms").get_paginator("list_keys").paginate():
        for each in page["Keys"]:
            key = client("kms").describe_key(KeyId=each["KeyId"])["KeyMetadata"]
            if key["KeyState"] != "PendingDeletion" and key.get("KeyManager") != "AWS":
                yield each["KeyId"]


LISTS: dict[str, Callable[[Client], Iterable[str]]] = {
    "stack": _stacks,
    "bucket": _pages("s3", "list_buckets", "Buckets", "Name"),
    "role": _pages("iam", "list_roles", "Roles", "RoleName"),
    "policy": _pages("iam", "list_policies", "Policies", "PolicyName", Scope="Local"),
    "instance profile": _pages("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    "log group": _pages("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "function": _pages("lambda", "list_functions", "Functions", "FunctionName"),
    "alarm": _pages("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "dashboard": _pages("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "KMS key": _keys,
    "topic": _pages("sns", "list_topics", "Topics", "TopicArn"),
    "queue": _pages("sqs", "list_queues", "QueueUrls", ""),
    "VPC": _pages("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    "subnet": _pages("ec2", "describe_subnets", "Subnets", "SubnetId"),
    "security group": _pages("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    "endpoint": _pages("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    "endpoint configuration": _pages("sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    "model": _pages("sagemaker", "list_models", "Models", "ModelName"),
    "model package group": _pages(
        "sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroupName"
    ),
    "scalable target": _pages(
        "application-autoscaling",
        "describe_scalable_targets",
        "ScalableTargets",
        "ResourceId",
        ServiceNamespace="sagemaker",
    ),
    "image repository": _pages("ecr", "describe_repositories", "repositories", "repositoryName"),
    "image build": _pages("codebuild", "list_projects", "projects", ""),
    "state machine": _pages("stepfunctions", "list_state_machines", "stateMachines", "name"),
    "schedule": _pages("scheduler", "list_schedules", "Schedules", "Name"),
    "event rule": _pages("events", "list_rules", "Rules", "Name"),
    "parameter": _pages("ssm", "describe_parameters", "Parameters", "Name"),
    "secret": _pages("secretsmanager", "list_secrets", "SecretList", "Name"),
}
"""How each kind is listed."""
