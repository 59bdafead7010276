"""What must exist before what: edges that no reference makes, and the rights that a service uses at its start."""

from tests.infra.conftest import Assembly
from tests.infra.iam import rights
from tests.infra.serving import serving_resource


def test_the_model_is_made_after_its_role_has_its_rights(development: Assembly) -> None:
    """SageMaker reads the artifact with the role when it creates the model; a reference waits for the role alone."""
    policy, _ = serving_resource(development, "AWS::IAM::Policy", "ModelRole")
    _, model = serving_resource(development, "AWS::SageMaker::Model", "Model")
    assert policy in model["DependsOn"]


def test_the_endpoint_starts_after_its_log_group_exists(development: Assembly) -> None:
    """SageMaker would create a log group of the same name, without a retention, and CloudFormation's would fail."""
    group, found = serving_resource(development, "AWS::Logs::LogGroup", "Logs")
    _, endpoint = serving_resource(development, "AWS::SageMaker::Endpoint", "Endpoint")
    assert found["Properties"]["LogGroupName"] == f"/aws/sagemaker/Endpoints/{endpoint['Properties']['EndpointName']}"
    assert group in endpoint["DependsOn"]


def test_the_canary_is_called_after_its_schedule_may_call_it(development: Assembly) -> None:
    policy, _ = serving_resource(development, "AWS::IAM::Policy", "CanaryScheduleRole")
    _, schedule = serving_resource(development, "AWS::Scheduler::Schedule", "Canary")
    assert policy in schedule["DependsOn"]


def test_the_endpoints_role_writes_its_log_and_reads_the_alarms_of_a_rollout(development: Assembly) -> None:
    """Without the logs a container that fails to start says nothing. Without the alarms SageMaker refuses a rollout."""
    held = {
        action: right.resources
        for right in rights(development)
        if right.holder.startswith("ModelRole")
        for action in right.actions
    }
    group, _ = serving_resource(development, "AWS::Logs::LogGroup", "Logs")
    for action in ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"):
        assert held[action] == [{"Fn::GetAtt": [group, "Arn"]}]
    alarms = [name for stack, name, _ in development.resources("AWS::CloudWatch::Alarm") if stack == "Serving"]
    watched = development.only("AWS::SageMaker::Endpoint")["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert sorted(alarm["AlarmName"]["Ref"] for alarm in watched) == sorted(alarms)
    assert sorted(arn["Fn::GetAtt"][0] for arn in held["cloudwatch:DescribeAlarms"]) == sorted(alarms)
