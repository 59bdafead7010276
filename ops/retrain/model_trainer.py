"""Start a training job with `ModelTrainer` of the SageMaker Python SDK. This file is a program of .venv-sagemaker.

That environment has the SDK alone, so nothing else of Kennel is imported. From stdin: JSON with `request`, the
arguments of CreateTrainingJob, and with the `profile` and the `region` of the session. To stdout: JSON with `arn`; or
with `error`, AWS's answer to a request that it refuses; `differs`, the fields of a request that was not sent; or
`unreachable`, why AWS gave no answer. docs/decisions/0118-retrain-by-the-sdk.md
"""

import json
import logging
import sys
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.shapes import (
    Channel,
    CheckpointConfig,
    DataSource,
    MetricDefinition,
    OutputDataConfig,
    S3DataSource,
    StoppingCondition,
    Tag,
)
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, Networking

Json = dict[str, Any]


class RequestDiffersError(Exception):
    """The SDK would send another request than the deploy."""


class NamedTrainer(ModelTrainer):  # type: ignore[misc] # the SDK is not installed where mypy runs
    """A trainer whose job has the name and the entry point of the request.

    `ModelTrainer` makes a name of its own, under which no deploy would find the job. It sets an entry point only with
    source code of its own, which it uploads to a bucket that the job's role may not read.
    """

    def _create_training_job_args(self, *given: Any, **options: Any) -> Json:
        found: Json = super()._create_training_job_args(*given, **options)
        algorithm = _request(self)["AlgorithmSpecification"]
        found["training_job_name"] = _request(self)["TrainingJobName"]
        found["algorithm_specification"].container_entrypoint = algorithm["ContainerEntrypoint"]
        found["algorithm_specification"].container_arguments = algorithm["ContainerArguments"]
        return found


REQUESTS: dict[int, Json] = {}
"""By the trainer: a trainer is a pydantic model, which allows no other attribute."""


def _request(trainer: ModelTrainer) -> Json:
    return REQUESTS[id(trainer)]


def start(request: Json, session: boto3.Session) -> str:
    """Start the job of the request. Returns its ARN.

    Raises ClientError if AWS refuses it, BotoCoreError without an answer, and RequestDiffersError before anything is
    sent that is not the request.
    """
    arns: list[str] = []
    session.events.register(
        "after-call.sagemaker.CreateTrainingJob", lambda parsed, **_: arns.append(parsed.get("TrainingJobArn", ""))
    )
    session.events.register("provide-client-params.sagemaker.CreateTrainingJob", partial(_check, request))
    trainer = _trainer(request, session)
    REQUESTS[id(trainer)] = request
    try:
        trainer.train(wait=False, logs=False)
    except Exception:
        if not any(arns):
            raise
        # AWS has started the job, and it is billed, whatever failed in the SDK afterwards
    return arns[-1]


def _trainer(request: Json, session: boto3.Session) -> NamedTrainer:
    resources, stopping, output = request["ResourceConfig"], request["StoppingCondition"], request["OutputDataConfig"]
    trainer = NamedTrainer(
        sagemaker_session=Session(boto_session=session),
        role=request["RoleArn"],
        base_job_name=request["TrainingJobName"],
        training_image=request["AlgorithmSpecification"]["TrainingImage"],
        training_input_mode=request["AlgorithmSpecification"]["TrainingInputMode"],
        compute=Compute(
            instance_type=resources["InstanceType"],
            instance_count=resources["InstanceCount"],
            volume_size_in_gb=resources["VolumeSizeInGB"],
            enable_managed_spot_training=request["EnableManagedSpotTraining"],
        ),
        networking=Networking(
            enable_network_isolation=request["EnableNetworkIsolation"],
            subnets=request.get("VpcConfig", {}).get("Subnets"),
            security_group_ids=request.get("VpcConfig", {}).get("SecurityGroupIds"),
        ),
        stopping_condition=StoppingCondition(
            max_runtime_in_seconds=stopping["MaxRuntimeInSeconds"],
            **(
                {"max_wait_time_in_seconds": stopping["MaxWaitTimeInSeconds"]}
                if "MaxWaitTimeInSeconds" in stopping
                else {}
            ),
        ),
        output_data_config=OutputDataConfig(
            s3_output_path=output["S3OutputPath"],
            compression_type="GZIP",
            **({"kms_key_id": output["KmsKeyId"]} if "KmsKeyId" in output else {}),
        ),
        input_data_config=[_channel(each) for each in request["InputDataConfig"]],
        checkpoint_config=CheckpointConfig(
            s3_uri=request["CheckpointConfig"]["S3Uri"], local_path=request["CheckpointConfig"]["LocalPath"]
        ),
        environment=request.get("Environment", {}),
        hyperparameters=request["HyperParameters"],
        tags=[Tag(key=each["Key"], value=each["Value"]) for each in request["Tags"]],
    )
    found: NamedTrainer = trainer.with_metric_definitions(
        [
            MetricDefinition(name=each["Name"], regex=each["Regex"])
            for each in request["AlgorithmSpecification"]["MetricDefinitions"]
        ]
    )
    return found


def _channel(found: Json) -> Channel:
    source = found["DataSource"]["S3DataSource"]
    return Channel(
        channel_name=found["ChannelName"],
        input_mode=found["InputMode"],
        data_source=DataSource(
            s3_data_source=S3DataSource(
                s3_data_type=source["S3DataType"],
                s3_uri=source["S3Uri"],
                s3_data_distribution_type=source["S3DataDistributionType"],
            )
        ),
    )


def _check(request: Json, params: Json, **_: Any) -> None:
    """Compare what the SDK is about to send with the request."""
    sent, wanted = _plain(params), _plain(request)
    fields = sorted(key for key in sent.keys() | wanted.keys() if sent.get(key) != wanted.get(key))
    if fields:
        raise RequestDiffersError(", ".join(f"{key} is {sent.get(key)!r}, not {wanted.get(key)!r}" for key in fields))


def _plain(params: Json) -> Json:
    """Without what SageMaker takes for absent: GZIP as the compression of the artifact, and an empty list or table."""
    output = {
        key: value for key, value in params["OutputDataConfig"].items() if (key, value) != ("CompressionType", "GZIP")
    }
    return {key: value for key, value in {**params, "OutputDataConfig": output}.items() if value not in ({}, [])}


def main() -> None:
    """Read the request, start its job, print the result."""
    logging.disable(logging.WARNING)  # the SDK prints its defaults
    given = json.load(sys.stdin)
    keys = given["keys"]
    session = boto3.Session(
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        aws_session_token=keys["token"],
        profile_name=given["profile"],
        region_name=given["region"],
    )
    try:
        result: Json = {"arn": start(given["request"], session)}
    except ClientError as error:
        result = {"error": json.loads(json.dumps(error.response, default=str))}
    except RequestDiffersError as error:
        result = {"differs": str(error)}
    except BotoCoreError as error:
        result = {"unreachable": str(error)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
