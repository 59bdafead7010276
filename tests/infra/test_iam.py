"""No role has more rights than it needs, in every template of both environments."""

import json
from typing import Any

import pytest

from tests.infra.conftest import Assembly
from tests.infra.iam import NO_RESOURCE, on_the_bucket, rights


@pytest.fixture(params=["development", "production"])
def assembly(request: pytest.FixtureRequest) -> Assembly:
    found: Assembly = request.getfixturevalue(request.param)
    return found


def test_rights_are_found(assembly: Assembly) -> None:
    assert len(list(rights(assembly))) > 30


def attached(assembly: Assembly, role: dict[str, Any]) -> list[str]:
    """Logical ids of the managed policies of a role. Raises KeyError for a policy that no template defines."""
    outputs = {
        (stack.lower(), name): output["Value"]["Ref"]
        for stack in assembly.names
        for name, output in assembly.raw(stack).get("Outputs", {}).items()
        if isinstance(output["Value"], dict) and "Ref" in output["Value"]
    }
    references = [arn["Fn::GetStackOutput"] for arn in role["Properties"].get("ManagedPolicyArns", [])]
    return [outputs[reference["StackName"].rpartition("-")[2], reference["OutputName"]] for reference in references]


def test_no_role_has_an_aws_managed_policy(assembly: Assembly) -> None:
    defined = {logical_id for _, logical_id, _ in assembly.resources("AWS::IAM::ManagedPolicy")}
    for _, _, role in assembly.resources("AWS::IAM::Role"):
        assert set(attached(assembly, role)) <= defined


WRITE = {"s3:AbortMultipartUpload", "s3:PutObject"}


def test_each_role_reads_and_writes_its_own_prefixes_of_the_bucket(assembly: Assembly) -> None:
    held: dict[str, dict[str, set[str]]] = {}
    for holder, action, prefix in on_the_bucket(assembly):
        if action != "s3:ListBucket":
            held.setdefault(holder.removesuffix("DefaultPolicy"), {}).setdefault(prefix, set()).add(action)
    assert held == {
        "JobRole": {
            "data/*": {"s3:GetObject"},
            "training/artifacts/*": {"s3:GetObject", *WRITE},
            "training/checkpoints/*": {"s3:GetObject", *WRITE},
        },
        "ModelRole": {"training/artifacts/*": {"s3:GetObject"}},
        "HostRole": {"data/*": {"s3:GetObject"}, "training/workbench/*": WRITE},
        "NotebookRole": {"data/*": {"s3:GetObject"}, "training/artifacts/*": {"s3:GetObject"}},
    }


def test_roles_list_only_prefixes_that_they_read_or_write(assembly: Assembly) -> None:
    used: dict[str, set[str]] = {}
    seen: dict[str, set[str]] = {}
    for holder, action, prefix in on_the_bucket(assembly):
        (seen if action == "s3:ListBucket" else used).setdefault(holder, set()).add(prefix)
    # the job's handler checks that there are photos, and whether a finished job's artifact still exists
    assert seen.pop("TrainingJobRoleDefaultPolicy") == {"data/*", "training/*"}
    # one level up, in case SageMaker lists a prefix without the slash at its end
    assert seen.pop("JobRoleDefaultPolicy") == {"data/*", "training/*"}
    assert used.pop("JobRoleDefaultPolicy") == {"data/*", "training/artifacts/*", "training/checkpoints/*"}
    assert seen == used


def test_no_template_names_a_full_access_policy(assembly: Assembly) -> None:
    for stack in assembly.names:
        assert "FullAccess" not in json.dumps(assembly.raw(stack))


def test_no_action_is_a_wildcard(assembly: Assembly) -> None:
    for right in rights(assembly):
        assert not [action for action in right.actions if "*" in action], right


def test_every_right_names_its_resource_if_iam_has_a_resource_type(assembly: Assembly) -> None:
    for right in rights(assembly):
        if "*" in right.resources:
            assert set(right.actions) <= NO_RESOURCE, right


def test_metrics_are_limited_to_their_namespace(assembly: Assembly) -> None:
    for right in rights(assembly):
        if "cloudwatch:PutMetricData" in right.actions:
            assert right.conditions["StringEquals"]["cloudwatch:namespace"].startswith("/aws/sagemaker/"), right


def test_jobs_and_the_endpoint_publish_the_metrics_that_the_dashboard_and_the_alarms_read(assembly: Assembly) -> None:
    """SageMaker publishes CPU and memory under the container's role. Without the right, MemoryFull has no data."""
    publishing = {
        right.holder[:-8].removesuffix("DefaultPolicy"): right.conditions["StringEquals"]["cloudwatch:namespace"]
        for right in rights(assembly)
        if "cloudwatch:PutMetricData" in right.actions
    }
    assert publishing == {"ModelRole": "/aws/sagemaker/Endpoints", "JobRole": "/aws/sagemaker/TrainingJobs"}


def test_only_the_jobs_role_can_be_passed_and_only_to_sagemaker(assembly: Assembly) -> None:
    (passing,) = [right for right in rights(assembly) if "iam:PassRole" in right.actions]
    assert passing.actions == ["iam:PassRole"]
    assert passing.resources == [{"Fn::GetAtt": ["JobRole014917C6", "Arn"]}]
    assert passing.conditions == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_no_role_may_change_iam(assembly: Assembly) -> None:
    for right in rights(assembly):
        assert not [action for action in right.actions if action.startswith("iam:") and action != "iam:PassRole"], right


def test_every_role_is_assumed_by_one_service(assembly: Assembly) -> None:
    for _, logical_id, role in assembly.resources("AWS::IAM::Role"):
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            assert list(statement["Principal"]) == ["Service"], logical_id
            assert isinstance(statement["Principal"]["Service"], str), logical_id


CARRIES_THE_ACCOUNT = {
    # Service: whether the ARN of its resource is known too. Each one documents the keys for the trust policy of a role.
    "codebuild.amazonaws.com": True,  # codebuild/latest/userguide/setting-up-service-role.html
    "sagemaker.amazonaws.com": False,  # sagemaker/latest/dg/security-confused-deputy-prevention.html
    "scheduler.amazonaws.com": True,  # scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    "states.amazonaws.com": True,  # step-functions/latest/dg/procedure-create-iam-role.html
    "vpc-flow-logs.amazonaws.com": True,  # vpc/latest/userguide/flow-logs-iam-role.html
}
CARRIES_NONE = {
    "ec2.amazonaws.com": "EC2 hands the role to an instance of this account, and documents no key for that.",
    "lambda.amazonaws.com": "Lambda documents no key for the assumption of an execution role.",
}
CARRIES_NONE_FOR = {
    "NotebookRole": "SageMaker's page lists jobs, models, images and Studio, and not notebook instances.",
}


def test_a_service_assumes_a_role_only_for_this_account_where_it_documents_that(assembly: Assembly) -> None:
    """For a new service, read its page on the confused deputy problem, and add it to one of the lists."""
    seen = set()
    for _, logical_id, role in assembly.resources("AWS::IAM::Role"):
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            service, conditions = statement["Principal"]["Service"], statement.get("Condition", {})
            seen.add(service)
            if service in CARRIES_NONE or logical_id[:-8] in CARRIES_NONE_FOR:
                assert conditions == {}, logical_id
                continue
            assert conditions["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}, logical_id
            if CARRIES_THE_ACCOUNT[service]:
                assert "aws:SourceArn" in conditions["ArnLike"], logical_id
    assert seen <= CARRIES_THE_ACCOUNT.keys() | CARRIES_NONE.keys()


def test_the_jobs_role_can_be_assumed_only_for_the_jobs_of_this_environment(assembly: Assembly) -> None:
    """The hyphen ends the environment's name, which has none: no other environment's jobs match the pattern."""
    ((_, _, job),) = assembly.resources("Custom::TrainingJob")
    ((_, _, role),) = [found for found in assembly.resources("AWS::IAM::Role") if found[1].startswith("JobRole")]
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    source = statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1]
    assert source == f":training-job/{job['Properties']['NamePrefix']}-*"


def test_the_api_function_may_only_invoke_the_endpoint_log_and_trace(assembly: Assembly) -> None:
    held = [right for right in rights(assembly) if right.stack == "Api"]
    assert sorted(action for right in held for action in right.actions) == [
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sagemaker:InvokeEndpoint",
    ]
    ((_, role),) = [(name, role) for stack, name, role in assembly.resources("AWS::IAM::Role") if stack == "Api"]
    # tracing, without the dead-letter queue
    assert [policy[:-8] for policy in attached(assembly, role)] == ["FunctionsPolicy"]
    (invoke,) = [right for right in held if right.actions == ["sagemaker:InvokeEndpoint"]]
    (arn,) = [resource["Fn::Join"][1] for resource in invoke.resources]
    endpoint = assembly.only("AWS::SageMaker::Endpoint")["EndpointName"]
    assert "".join(part if isinstance(part, str) else part["Ref"] for part in arn) == (
        f"arn:AWS::Partition:sagemaker:AWS::Region:AWS::AccountId:endpoint/{endpoint}"
    )
    (logs,) = [right for right in held if "logs:PutLogEvents" in right.actions]
    assert logs.resources == [{"Fn::GetAtt": ["Logs6819BB44", "Arn"]}]


def test_the_shared_policies_allow_only_tracing_and_the_dead_letter_queue(assembly: Assembly) -> None:
    held = {
        action: right.resources
        for right in rights(assembly)
        if right.holder.startswith(("FunctionsPolicy", "FunctionsSendFailedEvents"))
        for action in right.actions
    }
    assert held.pop("sqs:SendMessage") == [{"Fn::GetAtt": ["FunctionsDeadLetters92AD37ED", "Arn"]}]
    assert held == {"xray:PutTraceSegments": ["*"], "xray:PutTelemetryRecords": ["*"]}


def test_only_the_job_and_the_host_write_to_the_bucket_and_not_to_the_photos(assembly: Assembly) -> None:
    writing = [right for right in rights(assembly) if "s3:PutObject" in right.actions]
    assert sorted(right.holder[:-8] for right in writing) == ["HostRoleDefaultPolicy", "JobRoleDefaultPolicy"]
    assert "/data/" not in json.dumps([right.resources for right in writing])


def test_each_function_writes_to_a_log_group_of_the_stack(assembly: Assembly) -> None:
    """A log group that the service creates stays in the account after the stack, and keeps all logs."""
    for _, logical_id, function in assembly.resources("AWS::Lambda::Function"):
        assert "LogGroup" in function["Properties"].get("LoggingConfig", {}), logical_id


def test_each_log_group_has_a_retention_time_and_is_deleted_with_its_stack(assembly: Assembly) -> None:
    for _, logical_id, group in assembly.resources("AWS::Logs::LogGroup"):
        assert group["DeletionPolicy"] == "Delete", logical_id
        assert group["Properties"]["RetentionInDays"] <= 90, logical_id
