"""The endpoint of the serving stack: its model, image, updates and autoscaling."""

import subprocess

import pytest

from tests.infra.conftest import Assembly, Synthesise
from tests.infra.monitoring import rollback_alarm
from tests.infra.serving import ENDPOINT


def test_the_endpoint_has_the_designs_name_type_and_count(development: Assembly) -> None:
    assert development.only("AWS::SageMaker::Endpoint")["EndpointName"] == ENDPOINT
    (variant,) = development.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.m5.large", 1)


def test_autoscaling_is_between_1_and_3_instances(development: Assembly) -> None:
    target = development.only("AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    assert target["ResourceId"] == f"endpoint/{ENDPOINT}/variant/AllTraffic"
    assert target["ScalableDimension"] == "sagemaker:variant:DesiredInstanceCount"


def test_the_autoscaling_target_is_25_invocations_with_cooldowns_of_30_seconds(development: Assembly) -> None:
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


def test_the_scalable_target_depends_on_the_endpoint(development: Assembly) -> None:
    ((_, endpoint, _),) = development.resources("AWS::SageMaker::Endpoint")
    ((_, _, target),) = development.resources("AWS::ApplicationAutoScaling::ScalableTarget")
    assert target["DependsOn"] == [endpoint]


def test_model_and_endpoint_config_have_no_name_so_that_they_can_be_replaced(development: Assembly) -> None:
    assert "ModelName" not in development.only("AWS::SageMaker::Model")
    assert "EndpointConfigName" not in development.only("AWS::SageMaker::EndpointConfig")


def test_the_container_has_no_network(development: Assembly) -> None:
    assert development.only("AWS::SageMaker::Model")["EnableNetworkIsolation"] is True


def test_the_model_uses_the_training_jobs_artifact(development: Assembly) -> None:
    reference = development.only("AWS::SageMaker::Model")["PrimaryContainer"]["ModelDataUrl"]["Fn::GetStackOutput"]
    output = development.raw("Training")["Outputs"][reference["OutputName"]]
    assert reference["StackName"] == "kennel-training"
    assert output["Value"] == {"Fn::GetAtt": ["TrainingJob69DF3C3B", "ModelData"]}


def test_no_value_that_changes_is_exported(development: Assembly) -> None:
    """CloudFormation rejects the change of an export that another stack imports, so no retraining could be deployed."""
    for stack in development.names:
        for output in development.raw(stack).get("Outputs", {}).values():
            assert "Export" not in output


def inputs_digest(assembly: Assembly) -> str:
    tags = {tag["Key"]: tag["Value"] for tag in assembly.only("AWS::SageMaker::Model")["Tags"]}
    return str(tags["inputs-digest"])


@pytest.mark.parametrize("override", [("training.epochs", 41), ("training.data_version", "b")])
def test_a_new_artifact_changes_the_model_so_that_the_endpoint_is_updated(
    development: Assembly, synthesise: Synthesise, override: tuple[str, object]
) -> None:
    assert inputs_digest(synthesise(override)) != inputs_digest(development)


def test_other_settings_do_not_change_the_model(development: Assembly, synthesise: Synthesise) -> None:
    before, after = development.only("AWS::SageMaker::Model"), synthesise(("api.memory_mib", 256))
    assert after.only("AWS::SageMaker::Model") == before


def test_an_update_keeps_the_scaled_instance_count(development: Assembly) -> None:
    assert development.only("AWS::SageMaker::Endpoint")["RetainAllVariantProperties"] is True


def test_a_first_creation_can_leave_out_what_aws_documents_for_updates_alone(synthesise: Synthesise) -> None:
    endpoint = synthesise(("serving.rollout.retain_variant_properties", "false")).only("AWS::SageMaker::Endpoint")
    assert not {"RetainAllVariantProperties", "ExcludeRetainedVariantProperties"} & set(endpoint)


def test_an_update_is_blue_green_with_a_baking_period(development: Assembly) -> None:
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
        # an update without traffic must not be rolled back
        assert alarm["TreatMissingData"] == "notBreaching"
    for alarm in rollback[:2]:
        assert {"Name": "EndpointName", "Value": ENDPOINT} in alarm["Dimensions"]
        assert {"Name": "VariantName", "Value": "AllTraffic"} in alarm["Dimensions"]


def test_three_slow_minutes_cause_a_rollback_within_the_baking_period(development: Assembly) -> None:
    """The first photos on new containers are slow. The alarm must still go off before the old fleet is removed."""
    slow = rollback_alarm(development, "ModelLatency")
    assert slow["EvaluationPeriods"] == slow.get("DatapointsToAlarm", slow["EvaluationPeriods"]) == 3
    policy = development.only("AWS::SageMaker::Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    bake_s = policy["TrafficRoutingConfiguration"]["WaitIntervalInSeconds"]
    assert slow["EvaluationPeriods"] * slow["Period"] < bake_s


def test_the_latency_alarm_watches_the_95th_percentile(development: Assembly) -> None:
    """A median would pass a release that makes four callers in ten wait."""
    assert rollback_alarm(development, "ModelLatency")["ExtendedStatistic"] == "p95"


def test_the_latency_limit_is_in_microseconds(development: Assembly) -> None:
    assert rollback_alarm(development, "ModelLatency")["Threshold"] == 2_000_000  # microseconds


def test_a_container_has_five_minutes_to_become_healthy(development: Assembly) -> None:
    (variant,) = development.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    assert variant["ContainerStartupHealthCheckTimeoutInSeconds"] == 300
    assert variant["ModelDataDownloadTimeoutInSeconds"] == 300


def test_the_image_is_built_from_the_inference_folder(development: Assembly) -> None:
    build = development.only("Custom::CDKContainerImageBuild")
    assert "--platform linux/amd64" in build["buildCommand"]
    (asset,) = development.folder.glob("asset.*/Dockerfile")
    packed = {path.relative_to(asset.parent).as_posix() for path in asset.parent.rglob("*") if path.is_file()}
    list_files = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.check_output(list_files, cwd=development.root / "inference", text=True).splitlines()
    assert packed == set(tracked)


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
