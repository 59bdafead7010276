"""Start the day's drift check: a processing job that compares the day's captured calls with the test photos.

The job compares the day before, in UTC: a day whose records are complete. `{"day": "2026-11-20"}` as the event checks
another day.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .records import Record, evenly, listed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

Json = dict[str, Any]

MOST_BYTES = 1 << 30
"""Of records that the job downloads, which has a volume of `VOLUME_GIB`."""
MOST_PHOTOS = 2000
"""Photos that the job compares: more make the noise no smaller that matters, and each takes its time to decode."""
VOLUME_GIB = 10
LONGEST_RUN_S = 3600
IN_CONTAINER = "/opt/ml/processing"
EXIT_MESSAGE = "/opt/ml/output/message"


class DriftCheckError(Exception):
    """The check cannot be started. The message is for the operator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """What the function knows of its deployment, from its environment."""

    endpoint: str
    variant: str
    bucket: str
    capture_prefix: str
    report_prefix: str
    image: str
    role_arn: str
    instance_type: str
    job_prefix: str
    namespace: str
    kms_key: str
    subnets: list[str]
    security_groups: list[str]
    tags: Mapping[str, str]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Deployment":
        def words(name: str) -> list[str]:
            return environment.get(name, "").split()

        return cls(
            endpoint=environment["ENDPOINT_NAME"],
            variant=environment["VARIANT"],
            bucket=environment["BUCKET"],
            capture_prefix=environment["CAPTURE_PREFIX"],
            report_prefix=environment["REPORT_PREFIX"],
            image=environment["IMAGE"],
            role_arn=environment["JOB_ROLE"],
            instance_type=environment["INSTANCE_TYPE"],
            job_prefix=environment["JOB_PREFIX"],
            namespace=environment["NAMESPACE"],
            kms_key=environment.get("KMS_KEY", ""),
            subnets=words("SUBNETS"),
            security_groups=words("SECURITY_GROUPS"),
            tags=json.loads(environment["TAGS"]),
        )


def on_schedule(event: Json, _context: Any = None) -> Json:
    """Returns the job's name, or why there is none. Raises `DriftCheckError` or a botocore error."""
    retries: Any = {"mode": "standard", "total_max_attempts": 4}
    config = Config(connect_timeout=5, read_timeout=20, retries=retries)
    started = start(
        Deployment.of(os.environ),
        event=event,
        now=datetime.now(UTC),
        s3=boto3.client("s3", config=config),
        sagemaker=boto3.client("sagemaker", config=config),
    )
    print(json.dumps(started))
    return started


def start(deployment: Deployment, *, event: Json, now: datetime, s3: "S3Client", sagemaker: "SageMakerClient") -> Json:
    """Start the job for a day. A day without a captured call has none, and that is no failure."""
    given = event.get("day")
    day = _day(given) if given else (now - timedelta(days=1)).date()
    folder = f"{deployment.capture_prefix}{deployment.endpoint}/{deployment.variant}/{day:%Y/%m/%d}/"
    found = listed(s3, deployment.bucket, folder)
    if not found:
        return {"day": f"{day}", "job": None, "why": f"s3://{deployment.bucket}/{folder} has no captured call."}
    # the schedule's job is named for its day alone: another attempt of the same event starts no second job
    job = f"{deployment.job_prefix}-drift-{day}" + (f"-{now:%H%M%S}" if given else "")
    compared = evenly(found, MOST_BYTES)
    target = f"{deployment.report_prefix}{day}/{job}"
    records = _write_manifest(s3, deployment, f"{target}/records.json", folder, compared)
    bucket, _, key = _serving_artifact(sagemaker, deployment.endpoint).removeprefix("s3://").partition("/")
    above, _, name = key.rpartition("/")
    model = _write_manifest(
        s3, deployment, f"{target}/model.json", f"{above}/" if above else "", [Record(name, 0)], of=bucket
    )
    request = _request(deployment, job, records=records, model=model, model_name=name, target=target)
    outcome = {"day": f"{day}", "job": job, "objects": len(found), "compared": len(compared)}
    try:
        sagemaker.create_processing_job(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUse":
            raise
        return {**outcome, "why": "The job exists already."}
    return outcome


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise DriftCheckError(f'The event\'s "day" is {text!r}, but must be a date such as "2026-11-20".') from error


def _serving_artifact(sagemaker: "SageMakerClient", endpoint: str) -> str:
    """The S3 URI of the model that the endpoint serves now, which `kennel rollback` may have changed."""
    config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    container = sagemaker.describe_model(ModelName=variants[0]["ModelName"]).get("PrimaryContainer", {})
    artifact = container.get("ModelDataUrl", "")
    if not artifact:
        raise DriftCheckError(
            f"The model of endpoint {endpoint} has no ModelDataUrl, so there are no test photos to compare with. "
            "Deploy the Serving stack again."
        )
    return str(artifact)


def _write_manifest(
    s3: "S3Client", deployment: Deployment, key: str, prefix: str, records: list[Record], *, of: str = ""
) -> str:
    """Write which objects SageMaker downloads. Returns the URI. of: their bucket, if it is another one."""
    manifest = [{"prefix": f"s3://{of or deployment.bucket}/{prefix}"}, *(record.name for record in records)]
    encryption: Any = (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": deployment.kms_key} if deployment.kms_key else {}
    )
    s3.put_object(Bucket=deployment.bucket, Key=key, Body=json.dumps(manifest).encode(), **encryption)
    return f"s3://{deployment.bucket}/{key}"


def _request(deployment: Deployment, job: str, *, records: str, model: str, model_name: str, target: str) -> Any:
    """CreateProcessingJob's arguments."""
    network: Json = {"EnableNetworkIsolation": True}  # SageMaker copies its files; the container calls nothing
    if deployment.subnets:
        network["VpcConfig"] = {"Subnets": deployment.subnets, "SecurityGroupIds": deployment.security_groups}
    report = f"{IN_CONTAINER}/report"
    output = {
        "S3Uri": f"s3://{deployment.bucket}/{target}",
        "LocalPath": report,
        "S3UploadMode": "EndOfJob",
    }
    return {
        "ProcessingJobName": job,
        "RoleArn": deployment.role_arn,
        "AppSpecification": {
            "ImageUri": deployment.image,
            "ContainerEntrypoint": ["python", "-m", "inference.drift"],
            "ContainerArguments": [
                *("--captured", f"{IN_CONTAINER}/captured"),
                *("--model", f"{IN_CONTAINER}/model/{model_name}"),
                *("--out", report),
                *("--metrics", deployment.namespace),
                *("--dimension", f"Endpoint={deployment.endpoint}"),
                *("--most", str(MOST_PHOTOS)),
            ],
        },
        "Environment": {"KENNEL_EXIT_MESSAGE": EXIT_MESSAGE},
        "ProcessingInputs": [_input("captured", records), _input("model", model)],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "report", "S3Output": output}],
            **({"KmsKeyId": deployment.kms_key} if deployment.kms_key else {}),
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": deployment.instance_type,
                "VolumeSizeInGB": VOLUME_GIB,
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": LONGEST_RUN_S},
        "NetworkConfig": network,
        "Tags": [{"Key": key, "Value": value} for key, value in deployment.tags.items()],
    }


def _input(name: str, manifest: str) -> Json:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": manifest,
            "LocalPath": f"{IN_CONTAINER}/{name}",
            "S3DataType": "ManifestFile",
            "S3InputMode": "File",
        },
    }
