"""The endpoint, its updates and its scaling."""

import subprocess
import sys
from typing import Any

import pytest

from stacks.overrides import load
from stacks.settings import SettingsError
from tests.infra.conftest import Assembly, Synthesise
from tests.infra.nag import findings

ENDPOINT = "pytorch-dog-classifier-multi-instance"


def test_the_endpoint_has_the_designs_name_type_and_count(development: Assembly) -> None:
    assert development.only("AWS::SageMaker::Endpoint")["EndpointName"] == ENDPOINT
    (variant,) = development.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.m5.large", 1)


def test_autoscaling_is_1_to_3(development: Assembly) -> None:
    target = development.only("AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    assert target["ResourceId"] == f"endpoint/{ENDPOINT}/variant/AllTraffic"
    assert target["ScalableDimension"] == "sagemaker:variant:DesiredInstanceCount"


def test_autoscaling_aims_at_25_invocations_with_30_second_cooldowns(development: Assembly) -> None:
    policy = development.only("AWS::ApplicationAutoScaling::ScalingPolicy")
    assert policy["PolicyType"] == "TargetTrackingScaling"
    assert policy["TargetTrackingScalingPolicyConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "TargetValue": 25,
        "ScaleInCooldown": 30,
        "ScaleOutCooldown": 30,
    }


def test_autoscaling_uses_the_service_linked_role(development: Assembly) -> None:
    role = development.only("AWS::ApplicationAutoScaling::ScalableTarget")["RoleARN"]
    assert role["Fn::Join"][1][-1].endswith("AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")
    assert not [logical_id for _, logical_id, _ in development.resources("AWS::IAM::Role") if "Scaling" in logical_id]


def test_the_scalable_target_comes_after_the_endpoint_and_goes_before_it(development: Assembly) -> None:
    ((_, endpoint, _),) = development.resources("AWS::SageMaker::Endpoint")
    ((_, _, target),) = development.resources("AWS::ApplicationAutoScaling::ScalableTarget")
    assert target["DependsOn"] == [endpoint]


def test_model_and_endpoint_config_are_unnamed_so_that_they_can_be_replaced(development: Assembly) -> None:
    assert "ModelName" not in development.only("AWS::SageMaker::Model")
    assert "EndpointConfigName" not in development.only("AWS::SageMaker::EndpointConfig")


def test_the_container_has_no_network(development: Assembly) -> None:
    assert development.only("AWS::SageMaker::Model")["EnableNetworkIsolation"] is True


def test_the_artifact_is_the_training_jobs(development: Assembly) -> None:
    reference = development.only("AWS::SageMaker::Model")["PrimaryContainer"]["ModelDataUrl"]["Fn::GetStackOutput"]
    output = development.raw("Training")["Outputs"][reference["OutputName"]]
    assert reference["StackName"] == "kennel-training"
    assert output["Value"] == {"Fn::GetAtt": ["TrainingJob69DF3C3B", "ModelData"]}


def test_no_value_that_changes_is_exported(development: Assembly) -> None:
    """CloudFormation refuses to change an export that another stack imports: a retrain could never be deployed."""
    for stack in development.names:
        for output in development.raw(stack).get("Outputs", {}).values():
            assert "Export" not in output


def recipe(assembly: Assembly) -> str:
    tags = {tag["Key"]: tag["Value"] for tag in assembly.only("AWS::SageMaker::Model")["Tags"]}
    return str(tags["recipe"])


@pytest.mark.parametrize("override", [("training.epochs", 41), ("training.data_version", "b")])
def test_a_new_artifact_changes_the_model_so_that_the_endpoint_is_updated(
    development: Assembly, synthesise: Synthesise, override: tuple[str, object]
) -> None:
    assert recipe(synthesise(override)) != recipe(development)


def test_what_changes_no_artifact_leaves_the_model_alone(development: Assembly, synthesise: Synthesise) -> None:
    before, after = development.only("AWS::SageMaker::Model"), synthesise(("api.memory_mib", 256))
    assert after.only("AWS::SageMaker::Model") == before


def test_an_update_keeps_the_fleet_at_its_scaled_size(development: Assembly) -> None:
    assert development.only("AWS::SageMaker::Endpoint")["RetainAllVariantProperties"] is True


def test_an_update_is_blue_green_and_bakes_before_the_old_fleet_goes(development: Assembly) -> None:
    policy = development.only("AWS::SageMaker::Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy == {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300},
        "TerminationWaitInSeconds": 60,
        "MaximumExecutionTimeoutInSeconds": 3600,
    }


def test_alarms_of_this_endpoint_roll_an_update_back(development: Assembly) -> None:
    alarms = {
        logical_id: alarm["Properties"] for _, logical_id, alarm in development.resources("AWS::CloudWatch::Alarm")
    }
    named = development.only("AWS::SageMaker::Endpoint")["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    rollback = [alarms[alarm["AlarmName"]["Ref"]] for alarm in named]
    assert [alarm["MetricName"] for alarm in rollback] == ["Invocation5XXErrors", "ModelLatency", "Errors"]
    for alarm in rollback:
        # no calls, no errors: an update at night must not be rolled back for want of data
        assert alarm["TreatMissingData"] == "notBreaching"
    for alarm in rollback[:2]:
        assert {"Name": "EndpointName", "Value": ENDPOINT} in alarm["Dimensions"]
        assert {"Name": "VariantName", "Value": "AllTraffic"} in alarm["Dimensions"]


def rollback_alarm(assembly: Assembly, metric: str) -> dict[str, Any]:
    (found,) = [
        alarm["Properties"]
        for stack, _, alarm in assembly.resources("AWS::CloudWatch::Alarm")
        if stack == "Serving" and alarm["Properties"]["MetricName"] == metric
    ]
    properties: dict[str, Any] = found
    return properties


def test_one_slow_minute_rolls_nothing_back_and_three_do_within_the_bake(development: Assembly) -> None:
    """The first photos on new containers are slow. The alarm must still ring before the old fleet is removed."""
    slow = rollback_alarm(development, "ModelLatency")
    assert slow["EvaluationPeriods"] == slow.get("DatapointsToAlarm", slow["EvaluationPeriods"]) == 3
    policy = development.only("AWS::SageMaker::Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    bake_s = policy["TrafficRoutingConfiguration"]["WaitIntervalInSeconds"]
    assert slow["EvaluationPeriods"] * slow["Period"] < bake_s


def test_a_rollout_is_slow_where_more_than_one_photo_in_twenty_is(development: Assembly) -> None:
    """A median would pass a release that makes four callers in ten wait."""
    assert rollback_alarm(development, "ModelLatency")["ExtendedStatistic"] == "p95"


def test_the_latency_limit_is_in_the_metrics_unit(development: Assembly) -> None:
    assert rollback_alarm(development, "ModelLatency")["Threshold"] == 2_000_000  # microseconds


def test_a_container_has_five_minutes_to_become_healthy(development: Assembly) -> None:
    (variant,) = development.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    assert variant["ContainerStartupHealthCheckTimeoutInSeconds"] == 300
    assert variant["ModelDataDownloadTimeoutInSeconds"] == 300


def test_the_image_is_built_in_the_account_from_the_inference_folder(development: Assembly) -> None:
    build = development.only("Custom::CDKContainerImageBuild")
    assert "--platform linux/amd64" in build["buildCommand"]
    (asset,) = development.folder.glob("asset.*/Dockerfile")
    assert sorted(path.name for path in asset.parent.glob("*")) == sorted(
        path.name for path in (development.root / "inference").glob("*") if path.name != "__pycache__"
    )


def test_an_existing_image_is_used_and_nothing_is_built(synthesise: Synthesise) -> None:
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/dogs@sha256:" + "a" * 64
    assembly = synthesise(("serving.image_uri", uri))
    assert assembly.only("AWS::SageMaker::Model")["PrimaryContainer"]["Image"] == uri
    assert list(assembly.resources("AWS::CodeBuild::Project")) == []
    assert ":ecr:eu-west-1:123456789012:repository/team/dogs" in str(assembly.raw("Serving"))


def test_automatic_rollback_can_be_turned_off_to_repair_an_endpoint_in_alarm(synthesise: Synthesise) -> None:
    """SageMaker stops a deployment that starts while one of its alarms is in ALARM."""
    endpoint = synthesise(("serving.rollout.rollback", "false")).only("AWS::SageMaker::Endpoint")
    assert "AutoRollbackConfiguration" not in endpoint["DeploymentConfig"]
    assert endpoint["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"


# -- the canary


def of_serving(assembly: Assembly, type: str, name: str) -> tuple[str, dict[str, Any]]:
    """The one resource of a type in the stack whose logical id starts with `name`."""
    (found,) = [
        (logical_id, resource)
        for stack, logical_id, resource in assembly.resources(type)
        if stack == "Serving" and logical_id.startswith(name)
    ]
    return found


def rights(assembly: Assembly, role: str) -> dict[str, list[str]]:
    """Actions that a role's own policy allows on the endpoint, by the end of their ARN."""
    _, policy = of_serving(assembly, "AWS::IAM::Policy", role)
    found: dict[str, list[str]] = {}
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if any(action.startswith("sagemaker:") for action in actions):
            found[statement["Resource"]["Fn::Join"][1][-1]] = actions
    return found


def test_the_canary_asks_every_minute_once_the_endpoint_is_there(development: Assembly) -> None:
    _, schedule = of_serving(development, "AWS::Scheduler::Schedule", "Canary")
    function, _ = of_serving(development, "AWS::Lambda::Function", "CanaryFunction")
    assert schedule["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["Properties"]["Target"]["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert schedule["Properties"]["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    ((_, endpoint, _),) = development.resources("AWS::SageMaker::Endpoint")
    assert endpoint in schedule["DependsOn"]


def test_two_of_three_failed_minutes_of_the_canary_are_an_alarm(development: Assembly) -> None:
    _, alarm = of_serving(development, "AWS::CloudWatch::Alarm", "Canary")
    function, _ = of_serving(development, "AWS::Lambda::Function", "CanaryFunction")
    properties = alarm["Properties"]
    assert properties["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]
    assert (properties["Namespace"], properties["MetricName"]) == ("AWS/Lambda", "Errors")
    assert (properties["Statistic"], properties["Period"]) == ("Sum", 60)
    assert (properties["DatapointsToAlarm"], properties["EvaluationPeriods"]) == (2, 3)
    assert (properties["ComparisonOperator"], properties["Threshold"]) == ("GreaterThanThreshold", 0)


def test_the_schedule_may_invoke_the_canary_and_is_one_of_this_account(development: Assembly) -> None:
    function, _ = of_serving(development, "AWS::Lambda::Function", "CanaryFunction")
    _, policy = of_serving(development, "AWS::IAM::Policy", "CanaryScheduleRole")
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == (
        "lambda:InvokeFunction",
        {"Fn::GetAtt": [function, "Arn"]},
    )
    _, role = of_serving(development, "AWS::IAM::Role", "CanaryScheduleRole")
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_canary_may_invoke_this_one_endpoint(development: Assembly) -> None:
    assert rights(development, "CanaryFunctionRole") == {f":endpoint/{ENDPOINT}": ["sagemaker:InvokeEndpoint"]}


def test_a_rarer_canary_looks_over_longer_periods(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.canary_interval_min", 2), ("serving.rollout.bake_s", 420))
    _, schedule = of_serving(assembly, "AWS::Scheduler::Schedule", "Canary")
    _, alarm = of_serving(assembly, "AWS::CloudWatch::Alarm", "Canary")
    assert schedule["Properties"]["ScheduleExpression"] == "rate(2 minutes)"
    assert alarm["Properties"]["Period"] == 120


def test_zero_turns_the_canary_off_and_leaves_the_other_alarms(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.canary_interval_min", 0))
    assert not [logical_id for _, logical_id, _ in assembly.resources("*") if logical_id.startswith("Canary")]
    rollback = assembly.only("AWS::SageMaker::Endpoint")["DeploymentConfig"]["AutoRollbackConfiguration"]
    assert len(rollback["Alarms"]) == 2


def test_a_bake_too_short_for_the_canary_to_fail_in_is_refused() -> None:
    load({"serving.rollout.bake_s": 300})
    load({"serving.rollout.bake_s": 60, "serving.canary_interval_min": 0})
    with pytest.raises(SettingsError, match=r"serving\.rollout\.bake_s is 299, but must be at least 300.*canary"):
        load({"serving.rollout.bake_s": 299})
    with pytest.raises(SettingsError, match=r"bake_s is 300, but must be at least 540"):
        load({"serving.canary_interval_min": 3})


def test_the_canarys_calls_stay_far_below_what_adds_an_instance(development: Assembly) -> None:
    policy = development.only("AWS::ApplicationAutoScaling::ScalingPolicy")["TargetTrackingScalingPolicyConfiguration"]
    calls_per_min = 1 / load({}).serving.canary_interval_min
    assert calls_per_min <= policy["TargetValue"] / 10


# -- the check after a deploy


def test_each_deploy_ends_with_a_check_of_the_endpoint(development: Assembly) -> None:
    _, check = of_serving(development, "Custom::EndpointCheck", "Check")
    ((_, endpoint, _),) = development.resources("AWS::SageMaker::Endpoint")
    ((_, config, _),) = development.resources("AWS::SageMaker::EndpointConfig")
    assert endpoint in check["DependsOn"]
    assert check["Properties"]["EndpointName"] == ENDPOINT
    assert check["Properties"]["EndpointConfigName"] == {"Fn::GetAtt": [config, "EndpointConfigName"]}


def test_the_check_may_look_at_and_invoke_this_one_endpoint(development: Assembly) -> None:
    assert rights(development, "CheckFunctionRole") == {
        f":endpoint/{ENDPOINT}": ["sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint"]
    }


def test_the_check_waits_for_its_role_s_policy(development: Assembly) -> None:
    _, check = of_serving(development, "Custom::EndpointCheck", "Check")
    policy, _ = of_serving(development, "AWS::IAM::Policy", "CheckFunctionRole")
    assert policy in check["DependsOn"]


def test_cloudformation_waits_little_longer_than_the_function_may_run(development: Assembly) -> None:
    """A function that is cut off answers nothing; CloudFormation's own limit is an hour."""
    _, check = of_serving(development, "Custom::EndpointCheck", "Check")
    _, function = of_serving(development, "AWS::Lambda::Function", "CheckFunction")
    assert function["Properties"]["Timeout"] < int(check["Properties"]["ServiceTimeout"]) <= 1000


@pytest.mark.parametrize(
    "override",
    [
        ("training.epochs", 41),
        ("serving.rollout.bake_s", 600),
        ("serving.instance_type", "ml.m5.xlarge"),
        ("serving.capture.percent", 10),
    ],
)
def test_whatever_changes_the_endpoint_is_checked_again(
    development: Assembly, synthesise: Synthesise, override: tuple[str, object]
) -> None:
    after = synthesise(override)
    assert after.only("Custom::EndpointCheck") != development.only("Custom::EndpointCheck")


def test_what_changes_no_endpoint_is_not_checked_again(development: Assembly, synthesise: Synthesise) -> None:
    after = synthesise(("api.memory_mib", 256))
    assert after.only("Custom::EndpointCheck") == development.only("Custom::EndpointCheck")


def test_the_package_of_check_and_canary_is_one_that_lambda_can_load(development: Assembly) -> None:
    (asset,) = [path for path in development.folder.glob("asset.*") if (path / "probe").is_dir()]
    assert [path.name for path in asset.iterdir()] == ["probe"]
    named = {
        function["Properties"]["Handler"]
        for stack, logical_id, function in development.resources("AWS::Lambda::Function")
        if stack == "Serving" and logical_id.startswith(("Canary", "Check"))
    }
    assert named == {"probe.check.on_event", "probe.canary.on_schedule"}
    load = "import probe.check, probe.canary; probe.check.on_event; probe.canary.on_schedule"
    subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '{asset}'); {load}"], check=True)


# -- data capture


def test_nothing_that_callers_send_is_kept_unless_it_is_asked_for(development: Assembly) -> None:
    assert "DataCaptureConfig" not in development.only("AWS::SageMaker::EndpointConfig")
    assert "capture" not in str(development.raw("Storage"))


def test_capture_keeps_a_share_of_requests_and_answers_under_its_prefix(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10))
    capture = assembly.only("AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]
    assert (capture["EnableCapture"], capture["InitialSamplingPercentage"]) == (True, 10)
    assert [option["CaptureMode"] for option in capture["CaptureOptions"]] == ["Input", "Output"]
    start, bucket, end = capture["DestinationS3Uri"]["Fn::Join"][1]
    assert (start, end) == ("s3://", "/capture/")
    assert bucket["Fn::GetStackOutput"]["StackName"] == "kennel-storage"


def test_the_serving_role_may_write_captures_and_nothing_else_of_the_bucket(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10), ("serving.capture.prefix", "seen/"))
    writing = [
        statement
        for _, logical_id, policy in assembly.resources("AWS::IAM::Policy")
        if logical_id.startswith("ModelRole")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "s3:Put" in str(statement["Action"])
    ]
    (statement,) = writing
    assert (statement["Action"], statement["Effect"]) == ("s3:PutObject", "Allow")
    *_, bucket, objects = statement["Resource"]["Fn::Join"][1]
    assert (bucket["Fn::GetStackOutput"]["OutputName"], objects) == ("BucketName", "/seen/*")


def test_cdk_nag_has_nothing_to_say_of_captures(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10))
    assert [found for found in findings(assembly.app) if found[1].startswith(("Serving/", "Storage/"))] == []


def test_captures_expire(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10), ("serving.capture.keep_days", 7))
    rules = assembly.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    (rule,) = [rule for rule in rules if rule.get("Prefix") == "capture/"]
    assert (rule["ExpirationInDays"], rule["Status"]) == (7, "Enabled")
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}  # else they only get a delete marker


def test_a_change_of_capture_takes_effect_although_variants_are_retained(development: Assembly) -> None:
    """Turning it off is such a change, so it is excluded from what is retained even while it is off."""
    endpoint = development.only("AWS::SageMaker::Endpoint")
    assert endpoint["ExcludeRetainedVariantProperties"] == [{"VariantPropertyType": "DataCaptureConfig"}]


@pytest.mark.parametrize("prefix", ["data/", "data/seen/", "training/"])
def test_captures_are_kept_apart_from_photos_and_artifacts(prefix: str) -> None:
    with pytest.raises(SettingsError, match=rf"serving\.capture\.prefix is '{prefix}', but must be apart from storage"):
        load({"serving.capture.prefix": prefix})
