"""Scaling as a template declares it, in a local AWS: CloudFormation, the API, and real calls through the runtime."""

import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from rehearsal.cloud.local import LocalAws
from tests.cloud.pushed_image import push_an_image
from tests.patience import PATIENCE_S, wait_until

ECHO = Path(__file__).parent / "echo_app"
SPEED = 120
"""A minute takes half a second."""
ENDPOINT, VARIANT = "echo", "all"
RESOURCE_ID = f"endpoint/{ENDPOINT}/variant/{VARIANT}"


def template(max_capacity: int) -> str:
    """An endpoint that echoes, with its scaling."""
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    reads = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "s3:GetObject"]
    actions = [*reads, "ecr:GetAuthorizationToken", "logs:*", "cloudwatch:PutMetricData"]
    may = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    container = {
        "Image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/echo:1",
        "ModelDataUrl": "s3://echo/model.tar.gz",
    }
    variant = {
        "VariantName": VARIANT,
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1,
        "InstanceType": "ml.m5.large",
    }
    tracking = {
        "TargetValue": 5,
        "ScaleOutCooldown": 30,
        "ScaleInCooldown": 30,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    resources = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [may]}}],
            },
        },
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "PrimaryContainer": container},
        },
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {
                "ProductionVariants": [{**variant, "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]}}],
            },
        },
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {
                "EndpointName": ENDPOINT,
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
            },
        },
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "DependsOn": "Endpoint",
            "Properties": {
                "ServiceNamespace": "sagemaker",
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
                "ResourceId": RESOURCE_ID,
                "MinCapacity": 1,
                "MaxCapacity": max_capacity,
            },
        },
        "Policy": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyName": "calls",
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": {"Ref": "Target"},
                "TargetTrackingScalingPolicyConfiguration": tracking,
            },
        },
    }
    return json.dumps({"Resources": resources})


class Deployed:
    """The stack in a local AWS."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws
        self.cloudformation = self.client("cloudformation")
        self.scaling = self.client("application-autoscaling")
        self.sagemaker, self.runtime = self.client("sagemaker"), self.client("sagemaker-runtime")
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            greeting = tarfile.TarInfo("greeting")
            greeting.size = 1
            tar.addfile(greeting, io.BytesIO(b">"))
        push_an_image(self.client("ecr"))
        s3 = self.client("s3")
        s3.create_bucket(Bucket="echo")
        s3.put_object(Bucket="echo", Key="model.tar.gz", Body=archive.getvalue())

    def client(self, service: str) -> Any:
        make: Any = boto3.client  # its type has an overload for each service's name
        settings = self._aws.settings
        return make(
            service,
            region_name=settings.region,
            endpoint_url=self._aws.url,
            aws_access_key_id=settings.root_key,
            aws_secret_access_key=settings.root_secret,
        )

    def settled(self) -> str:
        """The status of the stack once it is in no transition."""
        status = ""

        def ended() -> bool:
            nonlocal status
            status = self.cloudformation.describe_stacks(StackName="echo")["Stacks"][0]["StackStatus"]
            return not status.endswith("_IN_PROGRESS")

        assert wait_until(ended), status
        return status

    @property
    def instances(self) -> tuple[int, int]:
        """Desired, and in service."""
        (variant,) = self.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
        return variant["DesiredInstanceCount"], variant["CurrentInstanceCount"]

    def call_until(self, reached: Callable[[], bool], *, every_s: float) -> int:
        """Call the endpoint until `reached`. Returns the number of calls; each has to echo."""
        calls, never, end = 0, threading.Event(), time.monotonic() + PATIENCE_S
        while not reached():
            assert time.monotonic() < end, f"{self.instances} instances"
            for _ in range(5):
                body = self.runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=b"woof")["Body"].read()
                assert body == b">woof"
                calls += 1
                never.wait(every_s)
        return calls


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    with LocalAws(tmp_path / "aws", images=ECHO / "images.toml", speed=SPEED) as aws:
        yield Deployed(aws)


@pytest.mark.slow
def test_a_deployed_endpoint_scales_with_its_calls_and_its_stack_can_be_deleted(deployed: Deployed) -> None:
    deployed.cloudformation.create_stack(StackName="echo", TemplateBody=template(2), Capabilities=["CAPABILITY_IAM"])
    assert deployed.settled() == "CREATE_COMPLETE"
    deployed.cloudformation.update_stack(StackName="echo", TemplateBody=template(3), Capabilities=["CAPABILITY_IAM"])
    assert deployed.settled() == "UPDATE_COMPLETE"
    (target,) = deployed.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["ResourceId"], target["MaxCapacity"]) == (RESOURCE_ID, 3)

    cloudwatch = deployed.client("cloudwatch")

    def alarms() -> dict[str, str]:
        found = cloudwatch.describe_alarms(AlarmNamePrefix=f"TargetTracking-{RESOURCE_ID}-")["MetricAlarms"]
        return {each["AlarmName"].split("-")[2]: each["StateValue"] for each in found}

    assert set(alarms()) == {"AlarmHigh", "AlarmLow"}
    deployed.call_until(lambda: deployed.instances == (3, 3), every_s=0)
    deployed.call_until(lambda: deployed.instances == (1, 1), every_s=0.4)

    activities = deployed.scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
    assert alarms()["AlarmLow"] == "ALARM"
    assert activities[0]["Description"] == "Setting desired instance count to 1."
    assert all("triggered policy calls" in each["Cause"] for each in activities)
    deployed.cloudformation.delete_stack(StackName="echo")
    assert wait_until(lambda: not deployed.sagemaker.list_endpoints()["Endpoints"])
    assert not deployed.scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert not alarms()
