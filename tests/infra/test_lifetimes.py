"""What `cdk destroy --all` leaves of the environment development: nothing that bills, nothing that holds data."""

import json
from typing import Any

import pytest

from tests.infra.conftest import Assembly
from tests.infra.iam import rights
from tests.infra.runbook import headings

GOES_WITH_ITS_STACK = {
    # Types that CloudFormation deletes whole and at once. Those that hold data or work are in the tests below, each
    # with the property that lets it go. A type that is in neither is a question: what of it stays, and at what price?
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::CodeBuild::Project",
    "AWS::EC2::FlowLog",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::Route",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCEndpoint",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::Events::Rule",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Document",
    "AWS::SSM::Parameter",
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
    "AWS::SageMaker::NotebookInstance",
    "AWS::SageMaker::NotebookInstanceLifecycleConfig",
    "AWS::Scheduler::Schedule",
    "AWS::StepFunctions::StateMachine",
}
SETTLED_BELOW = {
    "AWS::EC2::Instance",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "Custom::EndpointCheck",  # deleting it does nothing
    "Custom::S3AutoDeleteObjects",
    "Custom::TrainingJob",  # stops a running job: tests/infra/test_training_job_handler.py
    "Custom::CDKContainerImageBuild",  # its image is in the repository
}
BILLED_BY_THE_HOUR = {
    "AWS::EC2::EIP",
    "AWS::EC2::NatGateway",
    "AWS::EC2::TransitGateway",
    "AWS::EC2::VPNConnection",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
}
PINNED = {
    # An id that changes is a resource that is deleted and made anew: with its data, its name, its disk.
    ("Storage", "AWS::S3::Bucket"): {"Bucket83908E77"},
    ("Serving", "AWS::SageMaker::Endpoint"): {"Endpoint"},
    ("Serving", "AWS::ECR::Repository"): {"ImageRepositoryD8036990"},
    ("Workbench", "AWS::EC2::Instance"): {"HostInstance8BCAD32C"},
    ("Workbench", "AWS::SageMaker::NotebookInstance"): {"NotebookInstance0476B99B"},
    ("Monitoring", "AWS::KMS::Key"): {"AlertsKey9E1197AF"},
    ("Monitoring", "AWS::SNS::Topic"): {"AlertsTopicCF7C81C9"},
}


def test_no_resource_is_retained_or_kept_as_a_snapshot(development: Assembly) -> None:
    for stack, logical_id, resource in development.resources("*"):
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            assert resource.get(policy, "Delete") == "Delete", (stack, logical_id)


def test_of_every_type_it_is_known_how_it_goes(development: Assembly) -> None:
    types = {resource["Type"] for _, _, resource in development.resources("*")}
    assert types <= GOES_WITH_ITS_STACK | SETTLED_BELOW


def test_the_bucket_is_emptied_with_every_version_before_it_is_deleted(development: Assembly) -> None:
    ((_, bucket, resource),) = development.resources("AWS::S3::Bucket")
    ((_, _, emptying),) = development.resources("Custom::S3AutoDeleteObjects")
    assert emptying["Properties"]["BucketName"] == {"Ref": bucket}
    # the reference makes CloudFormation run it first; CDK's function refuses a bucket without this tag
    assert {"Key": "aws-cdk:auto-delete-objects", "Value": "true"} in resource["Properties"]["Tags"]


def test_it_may_delete_versions(development: Assembly) -> None:
    policy = json.dumps(development.only("AWS::S3::BucketPolicy"))
    assert "s3:DeleteObject*" in policy
    assert "s3:List*" in policy


def test_the_image_repository_is_emptied(development: Assembly) -> None:
    assert development.only("AWS::ECR::Repository")["EmptyOnDelete"] is True


def test_the_hosts_disk_goes_with_it(development: Assembly) -> None:
    for device in development.only("AWS::EC2::Instance")["BlockDeviceMappings"]:
        assert device["Ebs"]["DeleteOnTermination"] is True
    assert list(development.resources("AWS::EC2::Volume")) == []


def test_the_key_waits_for_its_end_as_briefly_as_it_may(development: Assembly) -> None:
    assert development.only("AWS::KMS::Key")["PendingWindowInDays"] == 7


def owned(assembly: Assembly, stack: str) -> dict[str, dict[str, Any]]:
    return {
        logical_id: group["Properties"]
        for at, logical_id, group in assembly.resources("AWS::Logs::LogGroup")
        if at == stack
    }


def test_every_function_writes_to_a_log_group_of_its_stack(development: Assembly) -> None:
    """CDK's own helpers too: theirs would be made by Lambda, after the stack has gone if need be, and kept for ever."""
    functions = list(development.resources("AWS::Lambda::Function"))
    assert len(functions) > 6
    for stack, logical_id, function in functions:
        group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        assert group in owned(development, stack), (stack, logical_id)


def test_the_log_groups_that_services_name_are_made_here_first(development: Assembly) -> None:
    names = {group.get("LogGroupName") for group in owned(development, "Serving").values()}
    assert f"/aws/sagemaker/Endpoints/{development.only('AWS::SageMaker::Endpoint')['EndpointName']}" in names
    assert f"/aws/codebuild/{development.only('AWS::CodeBuild::Project')['Name']}" in names


def test_every_log_group_ends_its_lines_by_itself(development: Assembly) -> None:
    for _, logical_id, group in development.resources("AWS::Logs::LogGroup"):
        assert group["Properties"]["RetentionInDays"] > 0, logical_id


def test_no_role_can_make_a_log_group_but_the_one_that_all_jobs_of_an_account_share(development: Assembly) -> None:
    """SageMaker writes every job's lines there. No stack may own it; docs/runbook.md says how to remove it."""
    makers = [right for right in rights(development) if "logs:CreateLogGroup" in right.actions]
    assert [right.holder[:7] for right in makers] == ["JobRole"]
    assert all("/aws/sagemaker/TrainingJobs" in json.dumps(right.resources) for right in makers)


def test_the_network_costs_nothing(development: Assembly) -> None:
    types = {resource["Type"] for _, _, resource in development.resources("*")}
    assert not types & BILLED_BY_THE_HOUR
    for _, logical_id, endpoint in development.resources("AWS::EC2::VPCEndpoint"):
        # an interface endpoint is billed by the hour, a gateway endpoint (S3) is free
        assert endpoint["Properties"].get("VpcEndpointType") == "Gateway", logical_id


@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_logical_ids_of_what_holds_data_or_a_name_are_pinned(
    request: pytest.FixtureRequest, environment: str
) -> None:
    assembly: Assembly = request.getfixturevalue(environment)
    for (stack, kind), ids in PINNED.items():
        assert {logical_id for at, logical_id, _ in assembly.resources(kind) if at == stack} == ids


def test_production_keeps_the_bucket_and_nothing_else(production: Assembly) -> None:
    kept = {
        logical_id
        for _, logical_id, resource in production.resources("*")
        if resource.get("DeletionPolicy") == "Retain"
    }
    assert {logical_id.split("Policy")[0] for logical_id in kept} == {"Bucket83908E77"}


def test_production_says_how_to_remove_the_bucket(production: Assembly, development: Assembly) -> None:
    says = production.raw("Storage")["Outputs"]["HowToRemoveTheBucket"]["Value"]
    assert "keep_bucket" in says
    assert says.rpartition("#")[2] in headings()
    assert "HowToRemoveTheBucket" not in development.raw("Storage")["Outputs"]
