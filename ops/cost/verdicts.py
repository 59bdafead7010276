"""A verdict on each type of resource: how it is billed, or why it costs nothing.

`tests/infra/test_cost.py` demands a verdict for every type in the templates of every environment, so that a new type
cannot be forgotten.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ops.cost import endpoint, functions, monitoring, storage, training, workbench
from ops.cost.assumptions import Assumptions
from ops.cost.charge import Charge
from ops.cost.templates import Resource, Templates

Charges = Callable[[Resource, Templates, Assumptions], Iterator[Charge]]


@dataclass(frozen=True, slots=True)
class Free:
    """AWS bills nothing for the resource itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotPriced:
    """AWS bills it, but so little, or so seldom, that the estimate leaves it out."""

    reason: str


_PERMISSIONS = Free("permissions are free")
_NETWORK = Free("this part of a VPC is free; what runs in it is billed")
_PART_OF_FUNCTION = Free("billed with the function")
_PART_OF_API = Free("billed by the API's requests")

VERDICTS: dict[str, Charges | Free | NotPriced] = {
    "AWS::ApiGatewayV2::Api": functions.http_api,
    "AWS::ApiGatewayV2::Integration": _PART_OF_API,
    "AWS::ApiGatewayV2::Route": _PART_OF_API,
    "AWS::ApiGatewayV2::Stage": _PART_OF_API,
    "AWS::ApplicationAutoScaling::ScalableTarget": Free("the instances that it adds are billed with the endpoint"),
    "AWS::ApplicationAutoScaling::ScalingPolicy": endpoint.scaling_policy,
    "AWS::Budgets::Budget": Free("the first two budgets of an account are free"),
    "AWS::CloudFormation::WaitConditionHandle": Free("it only keeps a stack from being empty"),
    "AWS::CloudWatch::Alarm": monitoring.alarm,
    "AWS::CloudWatch::Dashboard": monitoring.dashboard,
    "AWS::CodeBuild::Project": storage.image_build,
    "AWS::EC2::EIP": workbench.address,
    "AWS::EC2::FlowLog": Free("its lines are billed with their log group"),
    "AWS::EC2::Instance": workbench.host,
    "AWS::EC2::InternetGateway": _NETWORK,
    "AWS::EC2::LaunchTemplate": Free("the instance is billed"),
    "AWS::EC2::NatGateway": workbench.nat_gateway,
    "AWS::EC2::Route": _NETWORK,
    "AWS::EC2::RouteTable": _NETWORK,
    "AWS::EC2::SecurityGroup": _NETWORK,
    "AWS::EC2::SecurityGroupEgress": _NETWORK,
    "AWS::EC2::SecurityGroupIngress": _NETWORK,
    "AWS::EC2::Subnet": _NETWORK,
    "AWS::EC2::SubnetRouteTableAssociation": _NETWORK,
    "AWS::EC2::VPC": _NETWORK,
    "AWS::EC2::VPCEndpoint": workbench.vpc_endpoint,
    "AWS::EC2::VPCGatewayAttachment": _NETWORK,
    "AWS::ECR::Repository": storage.repository,
    "AWS::Events::Rule": Free("events of AWS's own services are free"),
    "AWS::IAM::InstanceProfile": _PERMISSIONS,
    "AWS::IAM::ManagedPolicy": _PERMISSIONS,
    "AWS::IAM::OIDCProvider": _PERMISSIONS,
    "AWS::IAM::Policy": _PERMISSIONS,
    "AWS::IAM::Role": _PERMISSIONS,
    "AWS::KMS::Alias": Free("the key is billed"),
    "AWS::KMS::Key": storage.key,
    "AWS::Lambda::Alias": functions.alias,
    "AWS::Lambda::Function": functions.function,
    "AWS::Lambda::Permission": _PERMISSIONS,
    "AWS::Lambda::Version": _PART_OF_FUNCTION,
    "AWS::Logs::LogGroup": functions.log_group,
    "AWS::S3::Bucket": storage.bucket,
    "AWS::S3::BucketPolicy": _PERMISSIONS,
    "AWS::SNS::Subscription": Free("each mail is billed with the topic"),
    "AWS::SNS::Topic": monitoring.topic,
    "AWS::SNS::TopicPolicy": _PERMISSIONS,
    "AWS::SQS::Queue": NotPriced("it gets a message only when an event fails; a million requests cost 0.40 USD"),
    "AWS::SQS::QueuePolicy": _PERMISSIONS,
    "AWS::SSM::Document": Free("sessions on EC2 instances are free"),
    "AWS::SSM::Parameter": Free("standard parameters are free"),
    "AWS::SageMaker::Endpoint": Free("billed by its configuration's instances"),
    "AWS::SageMaker::EndpointConfig": endpoint.endpoint_config,
    "AWS::SageMaker::Model": Free("a name for the artifact, which is billed with the bucket"),
    "AWS::SageMaker::ModelPackageGroup": Free("a list of versions; their artifacts are billed with the bucket"),
    "AWS::SageMaker::NotebookInstance": workbench.notebook,
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": Free("a script"),
    "AWS::Scheduler::Schedule": NotPriced("the canary's 43,800 calls a month cost about 0.05 USD"),
    "AWS::StepFunctions::StateMachine": training.state_machine,
    "Custom::CDKContainerImageBuild": Free("its function and its build are billed"),
    "Custom::EmptiedModelGroup": Free("its function is billed, when the stack is deleted"),
    "Custom::EndpointCheck": Free("its function is billed"),
    "Custom::S3AutoDeleteObjects": Free("its function is billed, when the bucket is deleted"),
    "Custom::TrainingJob": training.training_job,
}
