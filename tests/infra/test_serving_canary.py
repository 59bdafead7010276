"""The canary of the serving stack: its schedule, its alarm and its rights."""

import pytest

from stacks.settings import SettingsError
from tests.infra.conftest import Assembly, Synthesise, load_settings
from tests.infra.serving import ENDPOINT, endpoint_rights, serving_resource


def test_the_canary_runs_every_minute_once_the_endpoint_exists(development: Assembly) -> None:
    _, schedule = serving_resource(development, "AWS::Scheduler::Schedule", "Canary")
    function, _ = serving_resource(development, "AWS::Lambda::Function", "CanaryFunction")
    assert schedule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["Properties"]["Target"]["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert schedule["Properties"]["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    ((_, endpoint, _),) = development.resources("AWS::SageMaker::Endpoint")
    assert endpoint in schedule["DependsOn"]


def test_two_failed_minutes_of_three_set_off_the_alarm(development: Assembly) -> None:
    _, alarm = serving_resource(development, "AWS::CloudWatch::Alarm", "Canary")
    function, _ = serving_resource(development, "AWS::Lambda::Function", "CanaryFunction")
    properties = alarm["Properties"]
    assert properties["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]
    assert (properties["Namespace"], properties["MetricName"]) == ("AWS/Lambda", "Errors")
    assert (properties["Statistic"], properties["Period"]) == ("Sum", 60)
    assert (properties["DatapointsToAlarm"], properties["EvaluationPeriods"]) == (2, 3)
    assert (properties["ComparisonOperator"], properties["Threshold"]) == ("GreaterThanThreshold", 0)


def test_only_schedules_of_this_account_may_invoke_the_canary(development: Assembly) -> None:
    function, _ = serving_resource(development, "AWS::Lambda::Function", "CanaryFunction")
    _, policy = serving_resource(development, "AWS::IAM::Policy", "CanaryScheduleRole")
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == (
        "lambda:InvokeFunction",
        {"Fn::GetAtt": [function, "Arn"]},
    )
    _, role = serving_resource(development, "AWS::IAM::Role", "CanaryScheduleRole")
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    # the group that the schedule is in, as it names none
    assert trust["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1] == ":schedule-group/default"
    assert "GroupName" not in development.only("AWS::Scheduler::Schedule")


def test_the_canary_may_invoke_only_this_endpoint(development: Assembly) -> None:
    assert endpoint_rights(development, "CanaryFunctionRole") == {f":endpoint/{ENDPOINT}": ["sagemaker:InvokeEndpoint"]}


def test_a_longer_interval_lengthens_the_alarms_period(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.canary_interval_min", 2), ("serving.rollout.bake_s", 420))
    _, schedule = serving_resource(assembly, "AWS::Scheduler::Schedule", "Canary")
    _, alarm = serving_resource(assembly, "AWS::CloudWatch::Alarm", "Canary")
    assert schedule["Properties"]["ScheduleExpression"] == "rate(2 minutes)"
    assert alarm["Properties"]["Period"] == 120


def test_an_interval_of_zero_turns_only_the_canary_off(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.canary_interval_min", 0))
    assert not [logical_id for _, logical_id, _ in assembly.resources("*") if logical_id.startswith("Canary")]
    rollback = assembly.only("AWS::SageMaker::Endpoint")["DeploymentConfig"]["AutoRollbackConfiguration"]
    assert len(rollback["Alarms"]) == 2


def test_a_baking_period_too_short_for_the_canarys_alarm_is_rejected() -> None:
    load_settings({"serving.rollout.bake_s": 300})
    load_settings({"serving.rollout.bake_s": 60, "serving.canary_interval_min": 0})
    with pytest.raises(SettingsError, match=r"serving\.rollout\.bake_s is 299, but must be at least 300.*canary"):
        load_settings({"serving.rollout.bake_s": 299})
    with pytest.raises(SettingsError, match=r"bake_s is 300, but must be at least 540"):
        load_settings({"serving.canary_interval_min": 3})


def test_the_canarys_calls_are_at_most_a_tenth_of_the_autoscaling_target(development: Assembly) -> None:
    policy = development.only("AWS::ApplicationAutoScaling::ScalingPolicy")["TargetTrackingScalingPolicyConfiguration"]
    calls_per_min = 1 / load_settings({}).serving.canary_interval_min
    assert calls_per_min <= policy["TargetValue"] / 10
