"""What SageMaker checks of a CreateTrainingJob before it accepts it, besides the shapes of its members (shapes.py).

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

from pathlib import PurePosixPath

from rehearsal.cloud.api import AwsError, Json

CHECKPOINTS = "/opt/ml/checkpoints"
OPT_ML = "/opt/ml"


def check_request(parameters: Json) -> str:
    """The job's name. Raises AwsError for a request that SageMaker refuses, or that is not rehearsed."""
    for field in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if not parameters.get(field):
            raise _invalid(f"Missing required field: {field}.")
    _check_algorithm(parameters["AlgorithmSpecification"])
    _check_limits(parameters)
    for channel in parameters.get("InputDataConfig", []):
        _check_channel(channel, parameters["AlgorithmSpecification"])
    if "CheckpointConfig" in parameters:
        path = PurePosixPath(parameters["CheckpointConfig"].get("LocalPath") or CHECKPOINTS)
        if not path.is_relative_to(OPT_ML) or path == PurePosixPath(OPT_ML):
            raise _invalid(f"CheckpointConfig.LocalPath is {path}; only a folder below {OPT_ML} is rehearsed.")
    return str(parameters["TrainingJobName"])


def input_mode(channel: Json, algorithm: Json) -> str:
    """File, FastFile or Pipe."""
    return str(channel.get("InputMode") or algorithm.get("TrainingInputMode") or "File")


def _check_algorithm(algorithm: Json) -> None:
    if not algorithm.get("TrainingImage"):
        raise _invalid("Missing AlgorithmSpecification.TrainingImage; an AlgorithmName is not rehearsed.")


def _check_limits(parameters: Json) -> None:
    stopping = parameters["StoppingCondition"]
    if not int(parameters["ResourceConfig"].get("InstanceCount", 0)) >= 1:
        raise _invalid("ResourceConfig.InstanceCount must be at least 1; instance groups are not rehearsed.")
    longest_wait = stopping.get("MaxWaitTimeInSeconds")
    spot = parameters.get("EnableManagedSpotTraining", False)
    if spot and not longest_wait:
        raise _invalid("Missing MaxWaitTimeInSeconds, which managed spot training requires.")
    if longest_wait and not spot:
        raise _invalid("MaxWaitTimeInSeconds is allowed only for managed spot training.")
    if longest_wait and longest_wait < stopping.get("MaxRuntimeInSeconds", 1):
        raise _invalid(
            f"Invalid MaxWaitTimeInSeconds {longest_wait}. It must be present and be greater than or equal to "
            f"MaxRuntimeInSeconds {stopping.get('MaxRuntimeInSeconds', 1)}."
        )


def _check_channel(channel: Json, algorithm: Json) -> None:
    name = channel["ChannelName"]
    source = channel.get("DataSource", {}).get("S3DataSource")
    if source is None:
        raise _invalid(f"Channel {name}: only an S3DataSource is rehearsed.")
    if source.get("S3DataType") != "S3Prefix":
        raise _invalid(f"Channel {name}: S3DataType {source.get('S3DataType')} is not rehearsed, only S3Prefix.")
    if input_mode(channel, algorithm) == "Pipe":
        raise _invalid(f"Channel {name}: input mode Pipe is not rehearsed, only File and FastFile.")


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
