"""Reads the IAM statements of an assembly's templates."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.infra.conftest import Assembly

NO_RESOURCE = {
    # IAM defines no resource type for these actions: https://docs.aws.amazon.com/service-authorization/latest/reference/
    "cloudwatch:PutMetricData",  # limited to namespaces by conditions
    "ecr:GetAuthorizationToken",
    "ecr-public:GetAuthorizationToken",
    "sts:GetServiceBearerToken",
    "sagemaker:ListTrainingJobs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}


class Right(NamedTuple):
    stack: str
    holder: str
    actions: list[str]
    resources: list[Any]
    conditions: dict[str, Any]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def rights(assembly: Assembly) -> Iterator[Right]:
    """Each Allow statement of each IAM policy in the templates."""
    for stack, logical_id, resource in assembly.resources("*"):
        properties = resource.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", []) if isinstance(policy, dict)]
        if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            documents.append(properties["PolicyDocument"])
        for document in documents:
            for statement in (
                document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
            ):
                if statement["Effect"] == "Allow":
                    yield Right(
                        stack,
                        logical_id,
                        listed(statement["Action"]),
                        listed(statement["Resource"]),
                        statement.get("Condition", {}),
                    )


def on_the_bucket(assembly: Assembly) -> Iterator[tuple[str, str, str]]:
    """Holder, action and prefix of each right on the bucket of photos and artifacts."""
    for right in rights(assembly):
        for resource in right.resources:
            match resource:
                case {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Fn::GetStackOutput": _}]]}:
                    assert right.actions == ["s3:ListBucket"]
                    for prefix in listed(right.conditions["StringLike"]["s3:prefix"]):
                        yield right.holder[:-8], "s3:ListBucket", prefix
                case {"Fn::Join": ["", ["arn:", _, ":s3:::", {"Fn::GetStackOutput": {"OutputName": name}}, objects]]}:
                    assert name == "BucketName"
                    for action in right.actions:
                        yield right.holder[:-8], action, objects.removeprefix("/")
