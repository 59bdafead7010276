"""After `cdk destroy --all` of the environment development, nothing is left that costs money or holds data."""

import json
from typing import Any

import pytest

from tests.infra.conftest import Assembly
from tests.infra.iam import rights
from tests.infra.runbook import headings

DELETED_WITH_ITS_STACK = {
    # Types that CloudFormation deletes completely, without special properties. The types in TESTED_BELOW hold data or
    # work, and have a test for the property that lets CloudFormation delete them. For a new type, find out what stays
    # after its deletion and what that costs, and add it to one of the two.
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
    "AWS::IAM::OIDCProvider",
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
TESTED_BELOW = {
    "AWS::EC2::Instance",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SageMaker::ModelPackageGroup",
    "Custom::EmptiedModelGroup",  # its deletion deletes the versions of the group
    "Custom::EndpointCheck",  # its deletion does nothing
    "Custom::S3AutoDeleteObjects",
    "Custom::TrainingJob",  # its deletion stops a running job: tests/infra/test_training_job_update_and_delete.py
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
    # With another logical id the next deploy deletes the resource, with its data, name or disk, and creates a new one.
    ("Storage", "AWS::S3::Bucket"): {"Bucket83908E77"},
    ("Serving", "AWS::SageMaker::Endpoint"): {"Endpoint"},
    ("Serving", "AWS::ECR::Repository"): {"ImageRepositoryD8036990"},
    ("Training", "AWS::SageMaker::ModelPackageGroup"): {"RegistryGroupF9A457C4"},
    ("Workbench", "AWS::EC2::Instance"): {"HostInstance8BCAD32C"},
    ("Workbench", "AWS::SageMaker::NotebookInstance"): {"NotebookInstance0476B99B"},
    ("Monitoring", "AWS::KMS::Key"): {"AlertsKey9E1197AF"},
    ("Monitoring", "AWS::SNS::Topic"): {"AlertsTopicCF7C81C9"},
}


def test_no_resource_is_retained_or_kept_as_a_snapshot(development: Assembly) -> None:
    for stack, logical_id, resource in development.resources("*"):
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            assert resource.get(policy, "Delete") == "Delete", (stack, logical_id)


def test_the_deletion_of_every_resource_type_is_known(development: Assembly) -> None:
    types = {resource["Type"] for _, _, resource in development.resources("*")}
    assert types <= DELETED_WITH_ITS_STACK | TESTED_BELOW


def test_the_bucket_is_emptied_with_every_version_before_it_is_deleted(development: Assembly) -> None:
    ((_, bucket, resource),) = development.resources("AWS::S3::Bucket")
    ((_, _, emptying),) = development.resources("Custom::S3AutoDeleteObjects")
    assert emptying["Properties"]["BucketName"] == {"Ref": bucket}
    # the reference makes CloudFormation empty the bucket first; CDK's function rejects a bucket without this tag
    assert {"Key": "aws-cdk:auto-delete-objects", "Value": "true"} in resource["Properties"]["Tags"]


def test_the_auto_delete_function_may_delete_versions(development: Assembly) -> None:
    policy = json.dumps(development.only("AWS::S3::BucketPolicy"))
    assert "s3:DeleteObject*" in policy
    assert "s3:List*" in policy


def test_the_image_repository_is_emptied_before_its_deletion(development: Assembly) -> None:
    assert development.only("AWS::ECR::Repository")["EmptyOnDelete"] is True


def test_the_versions_of_the_model_are_deleted_before_their_group(development: Assembly) -> None:
    """SageMaker deletes no group with versions. tests/infra/test_model_registry.py tests the function."""
    ((_, group, resource),) = development.resources("AWS::SageMaker::ModelPackageGroup")
    ((_, _, emptying),) = development.resources("Custom::EmptiedModelGroup")
    assert emptying["Properties"]["ModelGroup"] == resource["Properties"]["ModelPackageGroupName"]
    assert group in emptying["DependsOn"]


@pytest.mark.parametrize("environment", ["development", "production"])
def test_no_rule_of_the_repository_deletes_the_image_that_is_served(
    request: pytest.FixtureRequest, environment: str
) -> None:
    """A build tags each image. After failed deploys the served one may be the oldest, and its last pull is old too."""
    assembly: Assembly = request.getfixturevalue(environment)
    policy = json.loads(assembly.only("AWS::ECR::Repository")["LifecyclePolicy"]["LifecyclePolicyText"])
    assert [rule["selection"]["tagStatus"] for rule in policy["rules"]] == ["untagged"]


def test_the_hosts_volume_is_deleted_with_it(development: Assembly) -> None:
    for device in development.only("AWS::EC2::Instance")["BlockDeviceMappings"]:
        assert device["Ebs"]["DeleteOnTermination"] is True
    assert list(development.resources("AWS::EC2::Volume")) == []


def test_the_key_has_the_shortest_pending_window(development: Assembly) -> None:
    assert development.only("AWS::KMS::Key")["PendingWindowInDays"] == 7


def log_groups(assembly: Assembly, stack: str) -> dict[str, dict[str, Any]]:
    return {
        logical_id: group["Properties"]
        for at, logical_id, group in assembly.resources("AWS::Logs::LogGroup")
        if at == stack
    }


def test_every_function_writes_to_a_log_group_of_its_stack(development: Assembly) -> None:
    """CDK's own functions too: Lambda would create their log groups, even after the stack's deletion."""
    functions = list(development.resources("AWS::Lambda::Function"))
    assert len(functions) > 6
    for stack, logical_id, function in functions:
        group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        assert group in log_groups(development, stack), (stack, logical_id)


def test_log_groups_with_names_given_by_services_are_created_by_the_stack(development: Assembly) -> None:
    names = {group.get("LogGroupName") for group in log_groups(development, "Serving").values()}
    assert f"/aws/sagemaker/Endpoints/{development.only('AWS::SageMaker::Endpoint')['EndpointName']}" in names
    assert f"/aws/codebuild/{development.only('AWS::CodeBuild::Project')['Name']}" in names


def test_every_log_group_has_a_retention_time(development: Assembly) -> None:
    for _, logical_id, group in development.resources("AWS::Logs::LogGroup"):
        assert group["Properties"]["RetentionInDays"] > 0, logical_id


def test_roles_can_create_only_the_log_group_that_all_training_jobs_share(development: Assembly) -> None:
    """SageMaker logs every job of the account there, so no stack may own it; docs/runbook.md says how to delete it."""
    creating = [right for right in rights(development) if "logs:CreateLogGroup" in right.actions]
    assert [right.holder[:7] for right in creating] == ["JobRole"]
    assert all("/aws/sagemaker/TrainingJobs" in json.dumps(right.resources) for right in creating)


def test_no_network_resource_is_billed_by_the_hour(development: Assembly) -> None:
    types = {resource["Type"] for _, _, resource in development.resources("*")}
    assert not types & BILLED_BY_THE_HOUR
    for _, logical_id, endpoint in development.resources("AWS::EC2::VPCEndpoint"):
        # an interface endpoint is billed by the hour, a gateway endpoint (S3) is free
        assert endpoint["Properties"].get("VpcEndpointType") == "Gateway", logical_id


@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_logical_ids_of_resources_with_data_or_a_name_are_pinned(
    request: pytest.FixtureRequest, environment: str
) -> None:
    assembly: Assembly = request.getfixturevalue(environment)
    for (stack, kind), ids in PINNED.items():
        assert {logical_id for at, logical_id, _ in assembly.resources(kind) if at == stack} == ids


def test_production_retains_only_the_bucket(production: Assembly) -> None:
    kept = {
        logical_id
        for _, logical_id, resource in production.resources("*")
        if resource.get("DeletionPolicy") == "Retain"
    }
    assert {logical_id.split("Policy")[0] for logical_id in kept} == {"Bucket83908E77"}


def test_an_output_of_production_says_how_to_delete_the_bucket(production: Assembly, development: Assembly) -> None:
    output = production.raw("Storage")["Outputs"]["HowToRemoveTheBucket"]["Value"]
    assert "keep_bucket" in output
    assert output.rpartition("#")[2] in headings()
    assert "HowToRemoveTheBucket" not in development.raw("Storage")["Outputs"]
