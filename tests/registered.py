"""A Model Registry on moto: the local AWS's, since moto's keeps no SourceUri and deletes no version."""

import json
from typing import Any

import pytest
from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from rehearsal.cloud.api import Credentials, Request
from rehearsal.cloud.sagemaker.model_package_groups import ModelPackageGroups
from rehearsal.cloud.sagemaker.model_packages import ModelPackages
from rehearsal.cloud.sagemaker.service import SageMaker
from rehearsal.cloud.sagemaker.tags import Tags
from tests.cloud.fake_engine import FakeEngine

ACCOUNT, REGION = "123456789012", "eu-west-1"


class _Engine(FakeEngine):
    account, region = ACCOUNT, REGION

    def check(self, credentials: Credentials, action: str, resource: str, **context: str) -> None:
        """Everything is allowed."""


def use_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty moto's account, and give it the operations of an empty registry during the test."""
    sagemaker_backends[ACCOUNT][REGION].reset()
    engine, tags = _Engine(), Tags()
    groups = ModelPackageGroups(engine, tags)
    service = SageMaker(engine, [groups, ModelPackages(engine, groups)], tags)

    def answer(response: Any) -> tuple[str, dict[str, str | int]]:
        headers = {name.lower(): value for name, value in response.headers.items()}
        found = service.answer(Request("POST", "/", headers, response.body.encode()))
        return found.body.decode(), {**found.headers, "status": found.status}

    for operation in service.operations:
        if "ModelPackage" in operation:
            monkeypatch.setattr(SageMakerResponse, camelcase_to_underscores(operation), answer, raising=False)


def trained(sagemaker: Any, job: str, *, bucket: str, **metrics: float) -> str:
    """Let a training job have ended on moto, with these metrics. Returns its artifact's URI."""
    sagemaker.create_training_job(
        TrainingJobName=job,
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/job",
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{bucket}/training/artifacts"},
        ResourceConfig={"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 100},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    found: Any = sagemaker_backends[ACCOUNT][REGION].training_jobs[job]
    found.final_metric_data_list = [
        {"MetricName": name, "Value": value, "Timestamp": "2026-11-22T00:00:00Z"} for name, value in metrics.items()
    ]
    uri = f"s3://{bucket}/training/artifacts/{job}/output/model.tar.gz"
    found.model_artifacts = {"S3ModelArtifacts": uri}
    return uri


def served(sagemaker: Any, uri: str, *, endpoint: str, name: str = "first") -> None:
    """Let an endpoint on moto serve this artifact."""
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/model",
        PrimaryContainer={"Image": "image", "ModelDataUrl": uri},
    )
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=name)


def use_updates(monkeypatch: pytest.MonkeyPatch, *, rolled_back: bool = False) -> list[dict[str, Any]]:
    """Give moto UpdateEndpoint, which it lacks. Returns the requests. rolled_back: the endpoint keeps its old model."""
    requests: list[dict[str, Any]] = []

    def update(response: Any) -> str:
        asked = json.loads(response.body)
        requests.append(asked)
        endpoint: Any = sagemaker_backends[ACCOUNT][REGION].endpoints[asked["EndpointName"]]
        if rolled_back:
            endpoint.failure_reason = "One or more configured alarms fired"
        else:
            endpoint.endpoint_config_name = asked["EndpointConfigName"]
        return json.dumps({"EndpointArn": endpoint.arn})

    monkeypatch.setattr(SageMakerResponse, "update_endpoint", update, raising=False)
    return requests
