"""Every resource that is not as its stack has deployed it.

CloudFormation's own drift detection is no substitute (docs/decisions/0127-changes-outside-a-deploy.md has the reasons).
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ops.audit.drift import References
from ops.operate.account import asking
from ops.operate.answers import Answers
from ops.operate.changed import alerts, functions, http_api, roles, serving, storage
from ops.operate.changed.declared import LABELS, Change, Declared
from ops.operate.deployed import Deployed, Resource, Stack

SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
"""States in which the resources of a stack are those of its template."""
THREADS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Reads a resource of one type."""

    read: Callable[[Declared], Iterator[Change]]
    service: str
    needs: str
    """Its permissions."""


def _reader(read: Callable[[Declared], Iterator[Change]], service: str, *actions: str, prefix: str = "") -> Reader:
    return Reader(read=read, service=service, needs=", ".join(f"{prefix or service}:{each}" for each in actions))


_FUNCTION = ("GetFunctionConfiguration", "GetFunctionConcurrency")
_ALIAS = ("GetAlias", "GetProvisionedConcurrencyConfig")
_ROLE = ("GetRole", "GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies")
_BUCKET = ("GetBucketVersioning", "GetBucketPublicAccessBlock")

READERS: Mapping[str, Reader] = {
    "AWS::ApiGatewayV2::Api": _reader(http_api.api, "apigatewayv2", "GET", prefix="apigateway"),
    "AWS::ApiGatewayV2::Integration": _reader(http_api.integration, "apigatewayv2", "GET", prefix="apigateway"),
    "AWS::ApiGatewayV2::Route": _reader(http_api.route, "apigatewayv2", "GET", prefix="apigateway"),
    "AWS::ApiGatewayV2::Stage": _reader(http_api.stage, "apigatewayv2", "GET", prefix="apigateway"),
    "AWS::ApplicationAutoScaling::ScalableTarget": _reader(
        serving.scalable_target, "application-autoscaling", "DescribeScalableTargets"
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": _reader(
        serving.scaling_policy, "application-autoscaling", "DescribeScalingPolicies"
    ),
    "AWS::CloudWatch::Alarm": _reader(alerts.alarm, "cloudwatch", "DescribeAlarms"),
    "AWS::ECR::Repository": _reader(serving.repository, "ecr", "DescribeRepositories"),
    "AWS::Events::Rule": _reader(alerts.rule, "events", "DescribeRule", "ListTargetsByRule"),
    "AWS::IAM::Role": _reader(roles.role, "iam", *_ROLE),
    "AWS::KMS::Key": _reader(alerts.key, "kms", "DescribeKey"),
    "AWS::Lambda::Alias": _reader(functions.alias, "lambda", *_ALIAS),
    "AWS::Lambda::Function": _reader(functions.function, "lambda", *_FUNCTION),
    "AWS::Lambda::Permission": _reader(functions.permission, "lambda", "GetPolicy"),
    "AWS::Logs::LogGroup": _reader(storage.log_group, "logs", "DescribeLogGroups"),
    "AWS::S3::Bucket": _reader(storage.bucket, "s3", *_BUCKET),
    "AWS::S3::BucketPolicy": _reader(storage.bucket_policy, "s3", "GetBucketPolicy"),
    "AWS::SNS::Subscription": _reader(alerts.subscription, "sns", "ListSubscriptionsByTopic"),
    "AWS::SNS::Topic": _reader(alerts.topic, "sns", "GetTopicAttributes", "ListSubscriptionsByTopic"),
    "AWS::SQS::Queue": _reader(storage.queue, "sqs", "GetQueueAttributes"),
    "AWS::SSM::Parameter": _reader(storage.parameter, "ssm", "GetParameter"),
    "AWS::SageMaker::EndpointConfig": _reader(serving.endpoint_config, "sagemaker", "DescribeEndpointConfig"),
    "AWS::SageMaker::Model": _reader(serving.model, "sagemaker", "DescribeModel"),
    "AWS::SageMaker::ModelPackageGroup": _reader(serving.model_group, "sagemaker", "DescribeModelPackageGroup"),
    "AWS::Scheduler::Schedule": _reader(alerts.schedule, "scheduler", "GetSchedule"),
}
"""How a resource of each type is read. Types that are not here are not compared."""


def changes(deployed: Deployed, answers: Answers) -> list[Change]:
    """Each difference, those first that callers can notice. What AWS refuses to say is noted in `answers`."""
    found = [each for kind, stack in deployed.stacks.items() for each in _declared(deployed, kind, stack, answers)]
    for service in {READERS[each.type].service for each in found} | {"s3"}:
        deployed.account.client(service)  # in this thread: boto3 makes one client at a time
    with ThreadPoolExecutor(THREADS) as pool:
        looks = [pool.submit(answers.of, partial(_read, each), []) for each in found]
        every = [change for look in looks for change in look.result()]
    return sorted(every, key=lambda change: not change.breaks)


def _read(declared: Declared) -> list[Change]:
    reader = READERS[declared.type]
    label = LABELS[declared.type]
    with asking(f"the look at a deployed resource ({label})", needs=reader.needs):
        return list(reader.read(declared))


def _declared(deployed: Deployed, kind: str, stack: Stack, answers: Answers) -> list[Declared]:
    if stack.status not in SETTLED:
        return []
    template: Mapping[str, Any] = answers.of(lambda: deployed.template(kind), {"Resources": {}})
    none: list[Resource] = []
    listed = answers.of(lambda: deployed.resources(kind), none)
    references = _references(deployed, stack, listed, template)
    physical = {each.id: each.physical for each in listed}
    return [
        Declared(
            account=deployed.account,
            stack=stack.name,
            id=logical_id,
            type=resource["Type"],
            physical=physical[logical_id],
            properties=resource.get("Properties", {}),
            references=references,
            template=template,
        )
        for logical_id, resource in template["Resources"].items()
        if logical_id in physical and resource["Type"] in READERS
    ]


def _references(deployed: Deployed, stack: Stack, listed: list[Resource], template: Mapping[str, Any]) -> References:
    account = deployed.account
    partition = stack.id.split(":")[1]
    return References(
        pseudo={
            "AWS::AccountId": account.number,
            "AWS::Partition": partition,
            "AWS::Region": account.region,
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
        },
        physical={each.id: each.physical for each in listed},
        outputs={(each.name, name): value for each in deployed.stacks.values() for name, value in each.outputs.items()},
        arns={
            each.id: arn
            for each in listed
            if (arn := _arn(each, template["Resources"].get(each.id, {}), partition, account.region, account.number))
        },
    )


def _arn(resource: Resource, declared: Mapping[str, Any], partition: str, region: str, account: str) -> str:
    """The ARN of a resource; empty for a type whose ARN has more than its name."""
    name = resource.physical
    if name.startswith("arn:"):
        return name
    here = f"{region}:{account}"
    match resource.type:
        case "AWS::Logs::LogGroup":
            return f"arn:{partition}:logs:{here}:log-group:{name}:*"
        case "AWS::S3::Bucket":
            return f"arn:{partition}:s3:::{name}"
        case "AWS::Lambda::Function":
            return f"arn:{partition}:lambda:{here}:function:{name}"
        case "AWS::IAM::Role":
            path = declared.get("Properties", {}).get("Path", "/")
            return f"arn:{partition}:iam::{account}:role{path}{name}" if isinstance(path, str) else ""
        case "AWS::ECR::Repository":
            return f"arn:{partition}:ecr:{here}:repository/{name}"
        case "AWS::KMS::Key":
            return f"arn:{partition}:kms:{here}:key/{name}"
        case "AWS::SQS::Queue":
            return f"arn:{partition}:sqs:{here}:{name.rpartition('/')[2]}"
        case "AWS::CloudWatch::Alarm":
            return f"arn:{partition}:cloudwatch:{here}:alarm:{name}"
        case "AWS::CodeBuild::Project":
            return f"arn:{partition}:codebuild:{here}:project/{name}"
    return ""
