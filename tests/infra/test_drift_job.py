"""The function that starts the daily drift check: which day, which records, which model, and what SageMaker gets."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from rehearsal.cloud.sagemaker.processing_request import check_request
from rehearsal.cloud.shapes import check
from stacks.serving.drift_job.records import Record, evenly, listed
from stacks.serving.drift_job.start import Deployment, DriftCheckError, start

BUCKET = "kennel-bucket"
NOW = datetime(2026, 11, 28, 3, 0, 1, tzinfo=UTC)
YESTERDAY = "capture/dogs/AllTraffic/2026/11/27/"
ARTIFACT = f"s3://{BUCKET}/training/artifacts/job-1/output/model.tar.gz"
VARIABLES = {
    "ENDPOINT_NAME": "dogs",
    "VARIANT": "AllTraffic",
    "BUCKET": BUCKET,
    "CAPTURE_PREFIX": "capture/",
    "REPORT_PREFIX": "capture/drift/dogs/",
    "IMAGE": "111122223333.dkr.ecr.us-east-1.amazonaws.com/serving:1",
    "JOB_ROLE": "arn:aws:iam::111122223333:role/job",
    "INSTANCE_TYPE": "ml.m5.large",
    "JOB_PREFIX": "kennel-development",
    "NAMESPACE": "Kennel",
    "TAGS": '{"project": "kennel"}',
}


class SageMaker:
    """Botocore's client with stubbed answers: it checks each request against the service's model."""

    def __init__(self, artifact: str = ARTIFACT) -> None:
        client: Any = boto3.client(
            "sagemaker", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.client, self.stub = client, Stubber(client)
        self.requests: list[dict[str, Any]] = []
        client.meta.events.register("provide-client-params.sagemaker.CreateProcessingJob", self._keep)
        now, arn = NOW, "arn:aws:sagemaker:us-east-1:111122223333:model/m-2"
        endpoint = {"EndpointName": "dogs", "EndpointArn": arn, "EndpointStatus": "InService"}
        self.stub.add_response(
            "describe_endpoint",
            {**endpoint, "EndpointConfigName": "c-2", "CreationTime": now, "LastModifiedTime": now},
            {"EndpointName": "dogs"},
        )
        variants = [{"VariantName": "AllTraffic", "ModelName": "m-2"}]
        self.stub.add_response(
            "describe_endpoint_config",
            {
                "EndpointConfigName": "c-2",
                "EndpointConfigArn": arn,
                "ProductionVariants": variants,
                "CreationTime": now,
            },
            {"EndpointConfigName": "c-2"},
        )
        container = {"PrimaryContainer": {"ModelDataUrl": artifact}} if artifact else {}
        self.stub.add_response(
            "describe_model",
            {"ModelName": "m-2", "CreationTime": now, "ModelArn": arn, **container},
            {"ModelName": "m-2"},
        )
        self.stub.activate()

    def accepts(self) -> "SageMaker":
        arn = "arn:aws:sagemaker:us-east-1:111122223333:processing-job/j"
        self.stub.add_response("create_processing_job", {"ProcessingJobArn": arn})
        return self

    def refuses(self, code: str) -> "SageMaker":
        self.stub.add_client_error("create_processing_job", code, "The job exists.")
        return self

    def _keep(self, params: dict[str, Any], **_: Any) -> None:
        self.requests.append(params)


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        for key in (f"{YESTERDAY}", f"{YESTERDAY}00/a.jsonl", f"{YESTERDAY}23/b.jsonl"):
            client.put_object(Bucket=BUCKET, Key=key, Body=b"" if key.endswith("/") else b"{}")
        client.put_object(Bucket=BUCKET, Key="capture/dogs/AllTraffic/2026/11/28/00/c.jsonl", Body=b"{}")
        yield client


def started(s3: Any, sagemaker: SageMaker, event: dict[str, Any] | None = None, **variables: str) -> dict[str, Any]:
    deployment = Deployment.of({**VARIABLES, **variables})
    return start(deployment, event=event or {}, now=NOW, s3=s3, sagemaker=sagemaker.client)


def manifest(s3: Any, request: dict[str, Any], name: str) -> Any:
    (uri,) = [each["S3Input"]["S3Uri"] for each in request["ProcessingInputs"] if each["InputName"] == name]
    return json.loads(s3.get_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"))["Body"].read())


def test_the_job_compares_the_calls_of_yesterday_with_the_model_that_serves(s3: Any) -> None:
    sagemaker = SageMaker().accepts()
    outcome = started(s3, sagemaker)
    (request,) = sagemaker.requests

    assert outcome == {"day": "2026-11-27", "job": "kennel-development-drift-2026-11-27", "objects": 2, "compared": 2}
    assert manifest(s3, request, "captured") == [{"prefix": f"s3://{BUCKET}/{YESTERDAY}"}, "00/a.jsonl", "23/b.jsonl"]
    assert manifest(s3, request, "model") == [{"prefix": ARTIFACT.removesuffix("model.tar.gz")}, "model.tar.gz"]
    arguments = request["AppSpecification"]["ContainerArguments"]
    assert dict(zip(arguments[::2], arguments[1::2], strict=True)) == {
        "--captured": "/opt/ml/processing/captured",
        "--model": "/opt/ml/processing/model/model.tar.gz",
        "--out": "/opt/ml/processing/report",
        "--metrics": "Kennel",
        "--dimension": "Endpoint=dogs",
        "--most": "2000",
    }


def test_the_request_is_one_that_sagemaker_accepts(s3: Any) -> None:
    sagemaker = SageMaker().accepts()
    started(s3, sagemaker)
    (request,) = sagemaker.requests

    check("sagemaker", "CreateProcessingJob", request)
    assert check_request(request) == request["ProcessingJobName"]
    assert request["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert request["Tags"] == [{"Key": "project", "Value": "kennel"}]
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


def test_the_key_and_the_network_are_the_buckets_and_the_endpoints(s3: Any) -> None:
    key = boto3.client("kms", region_name="us-east-1").create_key()["KeyMetadata"]["Arn"]
    sagemaker = SageMaker().accepts()
    started(s3, sagemaker, KMS_KEY=key, SUBNETS="subnet-1 subnet-2", SECURITY_GROUPS="sg-1")
    (request,) = sagemaker.requests

    assert request["ProcessingOutputConfig"]["KmsKeyId"] == key
    vpc = {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    assert request["NetworkConfig"] == {"EnableNetworkIsolation": True, "VpcConfig": vpc}
    written = s3.head_object(
        Bucket=BUCKET, Key=f"capture/drift/dogs/2026-11-27/{request['ProcessingJobName']}/model.json"
    )
    assert written["SSEKMSKeyId"] == key


def test_a_day_without_a_call_has_no_job_and_is_no_failure(s3: Any) -> None:
    sagemaker = SageMaker()
    outcome = started(s3, sagemaker, {"day": "2026-11-20"})

    assert (outcome["job"], sagemaker.requests) == (None, [])
    assert outcome["why"].endswith("/capture/dogs/AllTraffic/2026/11/20/ has no captured call.")


def test_a_day_can_be_given_and_its_job_is_another_each_time(s3: Any) -> None:
    outcome = started(s3, SageMaker().accepts(), {"day": "2026-11-28"})

    assert outcome["job"] == "kennel-development-drift-2026-11-28-030001"


@pytest.mark.parametrize("day", ["yesterday", 20261127, ["2026-11-27"]])
def test_a_day_that_is_no_date_is_refused(s3: Any, day: object) -> None:
    with pytest.raises(DriftCheckError, match=r'The event\'s "day" is .*, but must be a date such as "2026-11-20"\.'):
        started(s3, SageMaker(), {"day": day})


def test_another_attempt_of_the_same_event_starts_no_second_job(s3: Any) -> None:
    assert started(s3, SageMaker().refuses("ResourceInUse"))["why"] == "The job exists already."


def test_what_sagemaker_refuses_fails_the_function(s3: Any) -> None:
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        started(s3, SageMaker().refuses("ResourceLimitExceeded"))


def test_a_model_without_an_artifact_is_refused_with_what_to_do(s3: Any) -> None:
    with pytest.raises(
        DriftCheckError, match=r"The model of endpoint dogs has no ModelDataUrl.*Deploy the Serving stack"
    ):
        started(s3, SageMaker(artifact=""))


def test_a_day_with_more_records_than_fit_is_read_evenly() -> None:
    records = [Record(f"{number}", 10) for number in range(100)]
    chosen = evenly(records, 200)

    assert sum(record.size for record in chosen) == 200
    assert {int(record.name) // 25 for record in chosen} == {0, 1, 2, 3}
    places = [int(record.name) for record in chosen]
    assert {after - before for before, after in itertools.pairwise(places)} == {5}
    assert evenly(records, 1000) == records


def test_the_marker_of_a_folder_and_an_empty_object_are_no_records(s3: Any) -> None:
    assert [record.name for record in listed(s3, BUCKET, YESTERDAY)] == ["00/a.jsonl", "23/b.jsonl"]
