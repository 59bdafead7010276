"""Declared, not rehearsed: which resources of a stack nothing acts on here, and why.

for line in declared(boto3.client("cloudformation"), ["Serving", "Api"]):
    print(line.type, ", ".join(line.resources), line.reason)
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NETWORK = "every process uses this machine's network, so nothing is routed, translated or filtered"
_MACHINE = "no machine starts"
_ENCRYPTION = "what it encrypts on AWS is stored unencrypted here"
_MESSAGE = "no mail and no text message is sent"

RECORDED: dict[str, str] = {
    "AWS::Budgets::Budget": "nothing costs money, so no budget is compared with it",
    "AWS::CloudFormation::WaitConditionHandle": "nothing signals it",
    "AWS::CloudWatch::Dashboard": "nothing draws it",
    "AWS::EC2::EIP": _NETWORK,
    "AWS::EC2::FlowLog": "there is no traffic in a VPC, so it writes no line",
    "AWS::EC2::Instance": _MACHINE,
    "AWS::EC2::InternetGateway": _NETWORK,
    "AWS::EC2::LaunchTemplate": _MACHINE,
    "AWS::EC2::NatGateway": _NETWORK,
    "AWS::EC2::Route": _NETWORK,
    "AWS::EC2::RouteTable": _NETWORK,
    "AWS::EC2::SecurityGroup": _NETWORK,
    "AWS::EC2::SecurityGroupEgress": _NETWORK,
    "AWS::EC2::SecurityGroupIngress": _NETWORK,
    "AWS::EC2::Subnet": _NETWORK,
    "AWS::EC2::SubnetRouteTableAssociation": _NETWORK,
    "AWS::EC2::VPC": _NETWORK,
    "AWS::EC2::VPCEndpoint": _NETWORK,
    "AWS::EC2::VPCGatewayAttachment": _NETWORK,
    "AWS::IAM::InstanceProfile": "no machine starts that would use it",
    "AWS::IAM::OIDCProvider": "no token of another service is verified",
    "AWS::KMS::Alias": _ENCRYPTION,
    "AWS::KMS::Key": _ENCRYPTION,
    "AWS::SNS::Subscription": _MESSAGE,
    "AWS::SSM::Document": "no machine starts that would run it",
    "AWS::SageMaker::NotebookInstance": "no notebook starts",
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": "no notebook starts",
}
"""Types on which nothing acts, with the reason. Of subscriptions, those that are not `DELIVERED`."""

PARTS: dict[tuple[str, str], str] = {
    ("AWS::CodeBuild::Project", "Cache"): "nothing is kept between builds",
    ("AWS::ECR::Repository", "ImageScanningConfiguration"): "no image is scanned: it is a program of this machine",
    ("AWS::ECR::Repository", "LifecyclePolicy"): "no image is deleted by age or number",
    ("AWS::Lambda::Function", "Architectures"): "every function runs on this machine's processor",
    ("AWS::Lambda::Function", "TracingConfig"): "no trace is written",
    ("AWS::Logs::LogGroup", "RetentionInDays"): "no line is deleted by age",
    ("AWS::S3::Bucket", "BucketEncryption"): "objects are stored unencrypted",
    ("AWS::S3::Bucket", "LifecycleConfiguration"): "no object expires",
    ("AWS::S3::Bucket", "OwnershipControls"): "there are no access control lists to ignore",
    ("AWS::SNS::Topic", "KmsMasterKeyId"): "messages are stored unencrypted",
    ("AWS::SNS::Topic", "Subscription"): _MESSAGE,
    ("AWS::SQS::Queue", "SqsManagedSseEnabled"): "messages are stored unencrypted",
}
"""Properties on which nothing acts, of types that are rehearsed otherwise. By type and property, with the reason."""

REHEARSED = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::Stage",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::CloudWatch::Alarm",
        "AWS::CodeBuild::Project",
        "AWS::ECR::Repository",
        "AWS::Events::Rule",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
        "AWS::SageMaker::Endpoint",
        "AWS::SageMaker::EndpointConfig",
        "AWS::SageMaker::Model",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::Scheduler::Schedule",
        "AWS::StepFunctions::StateMachine",
    }
)
"""Types that were examined, and on which something acts. Custom resources are among them without being listed."""

DELIVERED = ("http", "https", "lambda", "sqs")
"""The protocols of subscriptions that get a topic's messages. A subscription with any other one is a record."""

NOT_EXAMINED = "whether something acts on it was not examined"


@dataclass(frozen=True, slots=True)
class Declared:
    """A type of resource, or one of its properties, on which nothing acts."""

    type: str
    """Such as AWS::KMS::Key, or AWS::Logs::LogGroup.RetentionInDays."""
    reason: str
    resources: tuple[str, ...]
    """STACK/LOGICAL ID."""


def declared(cloudformation: Any, stacks: Iterable[str]) -> list[Declared]:
    """What of these stacks is not rehearsed. cloudformation: a boto3 client. stacks: names of stacks that exist."""
    return of_templates(
        {stack: cloudformation.get_template(StackName=stack)["TemplateBody"] for stack in stacks},
    )


def of_templates(templates: Mapping[str, Mapping[str, Any]]) -> list[Declared]:
    """The same for templates, by the name of their stack, in the order of the types."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for stack, template in templates.items():
        for logical_id, resource in template.get("Resources", {}).items():
            for reason in _reasons(resource["Type"], resource.get("Properties", {})):
                found[reason].append(f"{stack}/{logical_id}")
    return [Declared(name, reason, tuple(resources)) for (name, reason), resources in sorted(found.items())]


def _reasons(kind: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if kind == "AWS::SNS::Subscription" and _delivered(properties):
        return
    if kind in RECORDED:
        yield kind, RECORDED[kind]
    elif kind not in REHEARSED and kind != "AWS::CDK::Metadata" and not kind.startswith("Custom::"):
        yield kind, NOT_EXAMINED
    for name, value in properties.items():
        if (kind, name) == ("AWS::SNS::Topic", "Subscription") and all(map(_delivered, value)):
            continue
        if (kind, name) in PARTS:
            yield f"{kind}.{name}", PARTS[kind, name]


def _delivered(subscription: Any) -> bool:
    """Whether its messages arrive. A protocol that an intrinsic function gives is unknown here."""
    return isinstance(subscription, Mapping) and subscription.get("Protocol") in DELIVERED
