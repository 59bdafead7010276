"""What single resources cost: templates of a few lines, priced with us-east-1's table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ops.cost import Estimate, estimate
from ops.cost.assumptions import Assumptions
from ops.cost.price_table import CostError, PriceTable

PRICES = PriceTable.of("us-east-1").prices
HOURS = 730


def priced(folder: Path, resources: Mapping[str, Any], assumptions: Assumptions | None = None) -> Estimate:
    """The estimate of one stack, called Stack."""
    (folder / "Stack.template.json").write_text(json.dumps({"Resources": resources}))
    return estimate(folder, "us-east-1", assumptions)


def usd(price: str) -> float:
    return PRICES[price].usd


def variant(**changes: Any) -> dict[str, Any]:
    return {"VariantName": "AllTraffic", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2} | changes


def endpoint(**changes: Any) -> dict[str, Any]:
    return {
        "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant(**changes)]}}
    }


def test_an_endpoint_that_is_not_scaled_bills_its_initial_instances(tmp_path: Path) -> None:
    found = priced(tmp_path, endpoint(VolumeSizeInGB=10))
    each = usd("sagemaker.instance.ml.m5.large") * HOURS + 10 * usd("sagemaker.storage")
    assert found.usd("idle", "Stack") == pytest.approx(2 * each)


@pytest.mark.parametrize(("kind", "gb"), [("ml.m5.large", 30), ("ml.c5.xlarge", 30), ("ml.g4dn.xlarge", 0)])
def test_only_an_instance_without_a_disk_of_its_own_has_a_volume(kind: str, gb: int, tmp_path: Path) -> None:
    found = priced(tmp_path, endpoint(InstanceType=kind, InitialInstanceCount=1))
    instance = usd(f"sagemaker.instance.{kind}") * HOURS
    assert found.usd("idle", "Stack") == pytest.approx(instance + gb * usd("sagemaker.storage"))


def test_an_update_bills_two_fleets_until_the_old_one_is_removed(tmp_path: Path) -> None:
    policy = {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 3000},
        "TerminationWaitInSeconds": 600,
        "MaximumExecutionTimeoutInSeconds": 4 * 3600,
    }
    deployed = {
        "Type": "AWS::SageMaker::Endpoint",
        "Properties": {
            "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
            "DeploymentConfig": {"BlueGreenUpdatePolicy": policy},
        },
    }
    given = Assumptions(deploys=3, worst_deploys=5, new_fleet_min=30)
    plain = priced(tmp_path, endpoint(InstanceType="ml.g4dn.xlarge"), given)
    updated = priced(tmp_path, endpoint(InstanceType="ml.g4dn.xlarge") | {"Endpoint": deployed}, given)
    fleet = 2 * usd("sagemaker.instance.ml.g4dn.xlarge")
    assert updated.usd("expected") - plain.usd("expected") == pytest.approx(3 * (0.5 + 1) * fleet)
    assert updated.usd("worst") - plain.usd("worst") == pytest.approx(5 * 4 * fleet)  # until SageMaker gives up
    assert updated.usd("idle") == pytest.approx(plain.usd("idle"))


def test_a_captured_call_is_kept_in_the_bucket(tmp_path: Path) -> None:
    config = endpoint()
    plain = priced(tmp_path, config)
    config["Config"]["Properties"]["DataCaptureConfig"] = {"EnableCapture": True, "InitialSamplingPercentage": 50}
    captured = priced(tmp_path, config)
    half_in_base64 = 1000 * Assumptions().photo_mb / 1000 * 0.5 * 4 / 3
    assert captured.usd("predictions") - plain.usd("predictions") == pytest.approx(half_in_base64 * usd("s3.storage"))


def test_a_training_on_instances_without_a_disk_bills_their_volumes(tmp_path: Path) -> None:
    job = {"InstanceType": "ml.m5.xlarge", "InstanceCount": "2", "MaxRuntimeSeconds": "3600", "VolumeGiB": "73"}
    found = priced(
        tmp_path,
        {"Job": {"Type": "Custom::TrainingJob", "Properties": job}},
        Assumptions(training_min=30, photos=0, trainings=3, worst_deploys=5),
    )
    hour = 2 * usd("sagemaker.instance.ml.m5.xlarge") + 2 * 73 / HOURS * usd("sagemaker.storage")
    assert found.usd("training", "Stack") == pytest.approx(hour / 2)
    assert found.usd("expected", "Stack") == pytest.approx(3 * hour / 2)
    assert found.usd("worst", "Stack") == pytest.approx(5 * hour)  # each until its limit stops it


@pytest.mark.parametrize(("rate", "calls"), [("5 minutes", 8760), ("1 hour", 730)])
def test_the_endpoints_log_has_the_lines_of_predictions_and_of_the_canary(
    rate: str, calls: int, tmp_path: Path
) -> None:
    name = "/aws/sagemaker/Endpoints/dogs"
    resources = {
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, "RetentionInDays": 30}},
        "Canary": {"Type": "AWS::Scheduler::Schedule", "Properties": {"ScheduleExpression": f"rate({rate})"}},
    }
    found = priced(tmp_path, resources, Assumptions(predictions=1000, log_kb=2))
    each = 2e-6 * (usd("logs.ingested") + usd("logs.stored"))
    assert found.usd("idle", "Stack") == pytest.approx(calls * each)
    assert found.usd("expected", "Stack") == pytest.approx((1000 + calls) * each)


def test_each_deploy_bills_the_minutes_of_a_build(tmp_path: Path) -> None:
    project = {"Environment": {"ComputeType": "BUILD_GENERAL1_LARGE"}}
    resources = {"Build": {"Type": "AWS::CodeBuild::Project", "Properties": project}}
    found = priced(tmp_path, resources, Assumptions(deploys=3, build_min=7))
    assert found.usd("expected", "Stack") == pytest.approx(3 * 7 * usd("codebuild.large"))


def test_a_function_of_x86_costs_more_than_one_of_arm(tmp_path: Path) -> None:
    def stack(architecture: str) -> float:
        properties = {"MemorySize": 1024, "Architectures": [architecture]}
        found = priced(tmp_path, {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}})
        return found.usd("expected", "Stack")

    calls = 4 * 30 * 1e-6 * usd("lambda.requests")
    assert stack("x86_64") - calls == pytest.approx(4 * 60 * usd("lambda.duration.x86_64"))
    assert stack("arm64") - calls == pytest.approx(4 * 60 * usd("lambda.duration.arm64"))


def test_the_lines_of_a_log_are_billed_for_as_long_as_they_are_kept(tmp_path: Path) -> None:
    def stack(days: int) -> float:
        log = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}}
        return priced(tmp_path, {"Log": log}, Assumptions(deploys=1, deploy_log_mb=1000)).usd("expected", "Stack")

    assert stack(30) == pytest.approx(usd("logs.ingested") + usd("logs.stored"))
    assert stack(90) == pytest.approx(usd("logs.ingested") + 3 * usd("logs.stored"))


def test_x_ray_records_the_first_call_of_each_second_and_a_twentieth_of_the_others(tmp_path: Path) -> None:
    properties = {"MemorySize": 1024, "TracingConfig": {"Mode": "Active"}, "Architectures": ["arm64"]}
    version = {"FunctionName": {"Ref": "Function"}}
    alias = {"FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]}, "Name": "live"}
    resources = {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": properties},
        "Version": {"Type": "AWS::Lambda::Version", "Properties": version},
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": alias},
    }
    seconds = HOURS * 3600
    found = priced(tmp_path, resources, Assumptions(predictions=3 * seconds))
    (traces,) = [line for line in found.lines if line.price.key == "xray.traces"]
    assert traces.usd("expected") == pytest.approx((seconds + 0.05 * 2 * seconds) / 1e6 * usd("xray.traces"))


def test_an_interface_endpoint_is_billed_in_each_subnet_and_a_gateway_endpoint_is_free(tmp_path: Path) -> None:
    def stack(**properties: Any) -> float:
        return priced(tmp_path, {"Point": {"Type": "AWS::EC2::VPCEndpoint", "Properties": properties}}).usd(
            "idle", "Stack"
        )

    assert stack(VpcEndpointType="Interface", SubnetIds=["a", "b"]) == pytest.approx(2 * HOURS * usd("vpc.endpoint"))
    assert stack(VpcEndpointType="Gateway") == 0  # exact: there is no charge at all


def test_a_nat_gateway_bills_all_month(tmp_path: Path) -> None:
    found = priced(tmp_path, {"Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {}}})
    assert found.usd("idle", "Stack") == pytest.approx(HOURS * usd("nat.gateway"))


def test_an_alarm_is_billed_for_each_metric_that_it_reads(tmp_path: Path) -> None:
    queries = [{"Id": "a", "MetricStat": {}}, {"Id": "b", "MetricStat": {}}, {"Id": "c", "Expression": "a+b"}]
    found = priced(tmp_path, {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": queries}}})
    assert found.usd("idle", "Stack") == pytest.approx(2 * usd("cloudwatch.alarm"))


def test_a_number_that_the_template_does_not_have_is_named(tmp_path: Path) -> None:
    volume = {"VolumeSizeInGB": {"Ref": "Size"}, "InstanceType": "ml.t3.medium"}
    with pytest.raises(CostError, match="VolumeSizeInGB of Notebook in the stack Stack must be a number"):
        priced(tmp_path, {"Notebook": {"Type": "AWS::SageMaker::NotebookInstance", "Properties": volume}})


def test_a_scaled_endpoint_bills_the_alarms_that_scale_it(tmp_path: Path) -> None:
    tracking = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 25}}
    policy = {"Policy": {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": tracking}}
    assert priced(tmp_path, policy).usd("idle", "Stack") == pytest.approx(2 * usd("cloudwatch.alarm"))


def test_an_elastic_address_bills_all_month(tmp_path: Path) -> None:
    found = priced(tmp_path, {"Address": {"Type": "AWS::EC2::EIP", "Properties": {}}})
    assert found.usd("idle", "Stack") == pytest.approx(HOURS * usd("ec2.public-ipv4"))
