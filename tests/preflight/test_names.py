"""Names that are taken, stacks that exist, and service-linked roles."""

from typing import Any

import pytest

from ops.preflight.roles import SCALING
from tests.preflight.account import Account, Json, RefusedCallError
from tests.preflight.ready import client, findings, only, stack

ENDPOINT = "pytorch-dog-classifier-multi-instance"


def an_endpoint(account: Account) -> None:
    sagemaker = client(account, "sagemaker")
    variant = {"VariantName": "A", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_model(ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/r", PrimaryContainer={})
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="c")


def a_log_group(name: str) -> Any:
    return lambda account: client(account, "logs").create_log_group(logGroupName=name)


def a_project(account: Account) -> None:
    client(account, "codebuild").create_project(
        name="kennel-serving-image",
        source={"type": "S3", "location": "bucket/key"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole="arn:aws:iam::123456789012:role/service-role/r",
    )


def a_function(account: Account) -> None:
    account.answer("lambda.GetFunction", {"Configuration": {"FunctionName": "kennel-api"}})


def a_model_group(account: Account) -> None:
    client(account, "sagemaker").create_model_package_group(ModelPackageGroupName="kennel-development")


def a_dashboard(account: Account) -> None:
    client(account, "cloudwatch").put_dashboard(DashboardName="kennel-eu-west-1", DashboardBody='{"widgets": []}')


TAKEN = [
    (an_endpoint, f"endpoint {ENDPOINT}", f"aws sagemaker delete-endpoint --endpoint-name {ENDPOINT}"),
    (a_log_group(f"/aws/sagemaker/Endpoints/{ENDPOINT}"), "log group /aws/sagemaker", "aws logs delete-log-group"),
    (a_log_group("/aws/codebuild/kennel-serving-image"), "log group /aws/codebuild", "aws logs delete-log-group"),
    (a_log_group("/aws/vendedlogs/http-api/kennel-api"), "log group /aws/vendedlogs", "aws logs delete-log-group"),
    (a_project, "CodeBuild project kennel-serving-image", "aws codebuild delete-project"),
    (a_model_group, "model package group kennel-development", "aws sagemaker delete-model-package-group"),
    (a_function, "Lambda function kennel-api", "aws lambda delete-function --function-name kennel-api"),
    (a_dashboard, "dashboard kennel-eu-west-1", "aws cloudwatch delete-dashboards"),
]


@pytest.mark.parametrize(("make", "what", "command"), TAKEN)
def test_a_name_that_is_taken(account: Account, make: Any, what: str, command: str) -> None:
    make(account)

    finding = only("names", {"api.http": "true"})

    assert finding.severity == ("warning" if what.startswith("dashboard") else "error")
    assert f"There is already a {what}" in finding.summary
    assert finding.remedy.startswith(command)


@pytest.mark.parametrize("physical_id", [ENDPOINT, f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/{ENDPOINT}"])
def test_the_deployments_own_endpoint_is_not_taken(account: Account, physical_id: str) -> None:
    an_endpoint(account)
    summary = {"LogicalResourceId": "Endpoint", "ResourceType": "AWS::SageMaker::Endpoint"}
    account.answer(
        "cloudformation.ListStackResources",
        {"StackResourceSummaries": [{**summary, "PhysicalResourceId": physical_id}]},
    )

    assert findings("names") == []


def test_a_second_deploy_finds_its_own_names(account: Account) -> None:
    for make, _, _ in TAKEN:
        make(account)
    ids = {
        "kennel-serving": [
            ENDPOINT,
            f"/aws/sagemaker/Endpoints/{ENDPOINT}",
            "/aws/codebuild/kennel-serving-image",
            "kennel-serving-image",
        ],
        "kennel-api": ["kennel-api", "/aws/vendedlogs/http-api/kennel-api"],
        "kennel-monitoring": ["kennel-eu-west-1"],
        "kennel-training": ["arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/kennel-development"],
    }
    account.answer(
        "cloudformation.ListStackResources",
        lambda call: {"StackResourceSummaries": [{"PhysicalResourceId": name} for name in ids[call["StackName"]]]},
    )

    assert findings("names", {"api.http": "true"}) == []


def test_what_a_failed_creation_deleted_is_not_the_stacks_own(account: Account) -> None:
    an_endpoint(account)
    deleted = {"PhysicalResourceId": ENDPOINT, "ResourceStatus": "DELETE_COMPLETE"}
    account.answer("cloudformation.ListStackResources", {"StackResourceSummaries": [deleted]})

    assert only("names").severity == "error"


def test_a_log_group_with_a_longer_name_is_another_one(account: Account) -> None:
    a_log_group("/aws/codebuild/kennel-serving-image-2")(account)

    assert findings("names") == []


def test_another_name_of_the_endpoint_is_free(account: Account) -> None:
    an_endpoint(account)

    assert findings("names", {"serving.endpoint_name": "mine"}) == []


def test_stacks_that_are_not_deployed_take_no_names(account: Account) -> None:
    an_endpoint(account)
    a_function(account)

    assert findings("names", stacks=["Storage"]) == []


def described(account: Account, status: str, **more: Any) -> None:
    """kennel-serving is in this state; the other stacks do not exist."""

    def answer(call: Json) -> Json:
        if call["StackName"] != "kennel-serving":
            raise RefusedCallError("ValidationError", f"Stack with id {call['StackName']} does not exist")
        found = {"StackName": "kennel-serving", "StackStatus": status, "CreationTime": "2026-11-27T00:00:00Z"}
        return {"Stacks": [{**found, "Tags": [{"Key": "project", "Value": "kennel"}], **more}]}

    account.answer("cloudformation.DescribeStacks", answer)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_that_can_be_updated_is_no_finding(account: Account, status: str) -> None:
    described(account, status)

    assert findings("stacks") == []


def test_a_stack_whose_first_change_set_was_never_executed_has_no_tags_yet(account: Account) -> None:
    described(account, "REVIEW_IN_PROGRESS", Tags=[])

    assert findings("stacks") == []


@pytest.mark.parametrize(
    ("status", "severity", "remedy"),
    [
        ("UPDATE_ROLLBACK_FAILED", "error", "make cdk ARGS='rollback Serving'"),
        ("UPDATE_FAILED", "warning", "make cdk ARGS='rollback Serving'"),
        ("CREATE_FAILED", "warning", "make cdk ARGS='rollback Serving'"),
        ("DELETE_FAILED", "error", "aws cloudformation delete-stack --stack-name kennel-serving"),
        ("ROLLBACK_COMPLETE", "warning", "`kennel why` shows the cause"),
        ("UPDATE_IN_PROGRESS", "warning", "`kennel logs deploy -f` follows it"),
        ("DELETE_IN_PROGRESS", "warning", "`kennel logs deploy -f` follows it"),
    ],
)
def test_a_stack_in_a_state_that_stops_a_deploy(account: Account, status: str, severity: str, remedy: str) -> None:
    described(account, status)

    finding = only("stacks")

    assert finding.severity == severity
    assert status in finding.summary
    assert remedy in finding.remedy


def test_a_failed_creation_of_a_protected_stack_is_not_deleted_by_cdk(account: Account) -> None:
    described(account, "ROLLBACK_COMPLETE", EnableTerminationProtection=True)

    finding = only("stacks")

    assert finding.severity == "error"
    assert "--no-enable-termination-protection --stack-name kennel-serving" in finding.remedy


def test_a_stack_of_somebody_elses_project_is_not_replaced(account: Account) -> None:
    stack(account, "kennel-api", project="other", resources={"Queue": {"Type": "AWS::SQS::Queue"}})

    finding = only("stacks")

    assert finding.severity == "error"
    assert "does not belong to the project 'kennel'" in finding.summary


def test_a_stack_without_the_tag_may_be_this_projects(account: Account) -> None:
    described(account, "CREATE_COMPLETE", Tags=[])

    finding = only("stacks")

    assert finding.severity == "warning"
    assert "If it is yours, deploy: that adds the tag." in finding.otherwise


def simulated(account: Account, decision: str) -> list[Json]:
    """There is no scaling role, and IAM decides so whether CloudFormation's role may make it."""
    client(account, "iam").delete_role(RoleName=SCALING)
    asked: list[Json] = []

    def answer(call: Json) -> Json:
        asked.append(call)
        return {"EvaluationResults": [{"EvalActionName": "iam:CreateServiceLinkedRole", "EvalDecision": decision}]}

    account.answer("iam.SimulatePrincipalPolicy", answer)
    return asked


def test_a_scaling_role_that_aws_will_make_is_no_finding(account: Account) -> None:
    asked = simulated(account, "allowed")

    assert findings("roles") == []
    assert asked[0]["PolicySourceArn"] == (
        "arn:aws:iam::123456789012:role/cdk-hnb659fds-cfn-exec-role-123456789012-eu-west-1"
    )


def test_a_scaling_role_that_nobody_may_make(account: Account) -> None:
    simulated(account, "implicitDeny")

    finding = only("roles")

    assert finding.severity == "error"
    assert finding.remedy == (
        "aws iam create-service-linked-role --aws-service-name sagemaker.application-autoscaling.amazonaws.com"
    )


def test_without_an_endpoint_no_role_is_looked_up(account: Account) -> None:
    simulated(account, "implicitDeny")

    assert findings("roles", stacks=["Api"]) == []
