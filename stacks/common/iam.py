"""IAM statements, used instead of AWS's managed policies."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_iam as iam


def allow(
    *actions: str, on: str | Sequence[str], conditions: Mapping[str, Mapping[str, object]] | None = None
) -> iam.PolicyStatement:
    """Allow actions on one resource or several."""
    resources = [on] if isinstance(on, str) else list(on)
    return iam.PolicyStatement(actions=list(actions), resources=resources, conditions=conditions)


def pull_image(repository_arn: str) -> list[iam.PolicyStatement]:
    """Allow to pull images from one ECR repository."""
    return [
        allow("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", on=repository_arn),
        allow("ecr:GetAuthorizationToken", on="*"),  # the registry log-in; IAM defines no resource type for it
    ]


def publish_metrics(namespace: str) -> iam.PolicyStatement:
    """Allow to publish metrics in one CloudWatch namespace."""
    return allow(
        "cloudwatch:PutMetricData",
        on="*",  # IAM defines no resource type for it; the condition limits it
        conditions={"StringEquals": {"cloudwatch:namespace": namespace}},
    )


def pass_role(role: iam.IRole, service: str) -> iam.PolicyStatement:
    """Allow to pass one role to one service."""
    return allow("iam:PassRole", on=role.role_arn, conditions={"StringEquals": {"iam:PassedToService": service}})


def send_traces() -> iam.PolicyStatement:
    """Allow to send X-Ray traces."""
    return allow("xray:PutTraceSegments", "xray:PutTelemetryRecords", on="*")  # IAM defines no resource type for them
