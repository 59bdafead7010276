"""The program that starts a job by the SageMaker Python SDK: what it sends is the deploy's request, or nothing."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from ops.retrain.errors import RetrainError
from ops.retrain.sdk import TrainerClient
from rehearsal.aws.loopback_server import LoopbackHandler, LoopbackServer
from stacks.training.handler.request import JobRequest
from tests.infra.events import properties
from tests.rehearsal.deployments import REPOSITORY

pytestmark = pytest.mark.slow

ALL_OF_IT = {
    "MaxWaitSeconds": "9000",
    "KmsKey": "arn:aws:kms:eu-west-1:123456789012:key/a",
    "Subnets": ["subnet-1"],
    "SecurityGroups": ["sg-1"],
    "Environment": {"PIP_INDEX_URL": "https://packages.example"},
    "Tags": {"project": "kennel"},
    "Pretrained": "s3://weights/resnet50.safetensors",
}
JOB = "kennel-0123456789abcdefabcd"


class Sent(list[tuple[str, Any]]):
    """The calls that SageMaker got: their operations and arguments."""

    refused: tuple[str, ...] = ()
    """Operations that it refuses."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """A SageMaker that accepts every job."""
    calls = Sent()

    class Handler(LoopbackHandler):
        def do_POST(self) -> None:  # noqa: N802 - http.server's name
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            calls.append((operation, json.loads(self.read_body())))
            if operation in calls.refused:
                refusal = {"__type": "ExpiredTokenException", "message": "The token has expired."}
                self.answer(400, json.dumps(refusal).encode(), {"Content-Type": "application/x-amz-json-1.1"})
                return
            job = {
                "TrainingJobName": JOB,
                "TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{JOB}",
                "TrainingJobStatus": "InProgress",
                "SecondaryStatus": "Starting",
                "CreationTime": 1_790_000_000,
                "ModelArtifacts": {"S3ModelArtifacts": ""},
                "AlgorithmSpecification": {"TrainingInputMode": "File"},
                "ResourceConfig": {"VolumeSizeInGB": 1},
                "StoppingCondition": {},
            }
            self.answer(200, json.dumps(job).encode(), {"Content-Type": "application/x-amz-json-1.1"})

    made = subprocess.run(["make", "sagemaker-sdk"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    with LoopbackServer(Handler) as server:
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)  # the program gets its keys from Kennel
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield calls


CLIENT = TrainerClient(client=None, credentials=Credentials("AKIDEXAMPLE", "EXAMPLE"), profile=None, region="eu-west-1")


@pytest.mark.parametrize("changes", [{}, ALL_OF_IT], ids=["default", "all of it"])
def test_each_field_of_the_request_is_sent(changes: dict[str, Any], sent: Sent) -> None:
    request = JobRequest.of(properties(**changes)).arguments(JOB, "ml.g4dn.xlarge")

    started = CLIENT.create_training_job(**request)

    assert started["TrainingJobArn"].endswith(JOB)
    (operation, arguments), described = sent  # nothing else: no look at the role, no report
    assert (operation, described[0]) == ("CreateTrainingJob", "DescribeTrainingJob")
    assert arguments["OutputDataConfig"].pop("CompressionType") == "GZIP"
    assert {name: value for name, value in arguments.items() if value not in ({}, [])} == {
        name: value for name, value in request.items() if value != []
    }


def test_a_job_that_aws_has_started_is_reported_though_the_sdk_fails_afterwards(sent: Sent) -> None:
    sent.refused = ("DescribeTrainingJob",)
    started = CLIENT.create_training_job(**JobRequest.of(properties()).arguments(JOB, "ml.g4dn.xlarge"))

    assert started["TrainingJobArn"].endswith(JOB)
    assert [operation for operation, _ in sent] == ["CreateTrainingJob", "DescribeTrainingJob"]


def test_a_users_configuration_of_the_sdk_is_not_read(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SAGEMAKER_USER_CONFIG_OVERRIDE", str(_configuration(tmp_path)))
    CLIENT.create_training_job(**JobRequest.of(properties()).arguments(JOB, "ml.g4dn.xlarge"))

    assert not sent[0][1].get("Environment")


def test_another_request_than_the_deploys_is_not_sent(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ops.retrain.sdk.DEFAULTS", _configuration(tmp_path))

    with pytest.raises(RetrainError, match=r"would start another job than the deploy.*Environment is .*MODE"):
        CLIENT.create_training_job(**JobRequest.of(properties()).arguments(JOB, "ml.g4dn.xlarge"))
    assert not sent


def _configuration(folder: Path) -> Path:
    """One that adds a variable to each job."""
    path = folder / "config.yaml"
    environment = {"TrainingJob": {"Environment": {"MODE": "fast"}}}
    telemetry = {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}
    path.write_text(json.dumps({"SchemaVersion": "1.0", "SageMaker": {**environment, **telemetry}}))
    return path
