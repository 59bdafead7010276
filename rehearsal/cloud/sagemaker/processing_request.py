"""What SageMaker checks of a CreateProcessingJob before it accepts it, besides the shapes of its members (shapes.py).

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateProcessingJob.html
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

from rehearsal.cloud.api import AwsError, Json

OPT_ML = "/opt/ml"
PROCESSING = f"{OPT_ML}/processing"
"""Inputs and outputs are below it."""


def check_request(parameters: Json) -> str:
    """The job's name. Raises AwsError for a request that SageMaker refuses, or that is not rehearsed."""
    inputs = parameters.get("ProcessingInputs", [])
    outputs = output_config(parameters).get("Outputs", [])
    for each in inputs:
        _check_input(each)
    for each in outputs:
        _check_output(each)
    _check_unique("ProcessingInputs", [each["InputName"] for each in inputs])
    _check_unique("Outputs", [each["OutputName"] for each in outputs])
    _check_unique("LocalPath", [each["S3Input"]["LocalPath"] for each in inputs])
    if int(parameters["ProcessingResources"]["ClusterConfig"].get("InstanceCount", 1)) != 1:
        raise _invalid("ClusterConfig.InstanceCount is not 1; only a job with one instance is rehearsed.")
    if not parameters["AppSpecification"].get("ContainerEntrypoint"):
        raise _invalid("Missing AppSpecification.ContainerEntrypoint; an image's own entry point is not rehearsed.")
    return str(parameters["ProcessingJobName"])


def output_config(parameters: Json) -> Json:
    """ProcessingOutputConfig, which a job may lack."""
    return dict(parameters.get("ProcessingOutputConfig") or {})


def _check_input(given: Json) -> None:
    name, source = given["InputName"], given.get("S3Input")
    if source is None or given.get("DatasetDefinition"):
        raise _invalid(f"Input {name}: only an S3Input is rehearsed.")
    if given.get("AppManaged"):
        raise _invalid(f"Input {name}: AppManaged is not rehearsed.")
    if source.get("S3InputMode", "File") != "File":
        raise _invalid(f"Input {name}: S3InputMode {source['S3InputMode']} is not rehearsed, only File.")
    if source.get("S3CompressionType", "None") != "None":
        raise _invalid(f"Input {name}: S3CompressionType {source['S3CompressionType']} is not rehearsed.")
    _check_path(f"Input {name}", source.get("LocalPath"))


def _check_output(given: Json) -> None:
    name, target = given["OutputName"], given.get("S3Output")
    if target is None or given.get("FeatureStoreOutput") or given.get("AppManaged"):
        raise _invalid(f"Output {name}: only an S3Output that SageMaker manages is rehearsed.")
    if target["S3UploadMode"] != "EndOfJob":
        raise _invalid(f"Output {name}: S3UploadMode {target['S3UploadMode']} is not rehearsed, only EndOfJob.")
    _check_path(f"Output {name}", target.get("LocalPath"))


def _check_path(what: str, path: str | None) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingS3Input.html."""
    parts = PurePosixPath(path or "")
    if PurePosixPath(PROCESSING) not in parts.parents or ".." in parts.parts:
        raise _invalid(f"{what}: LocalPath is {path}; it must be an absolute path below {PROCESSING}/.")


def _check_unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _invalid(f"{what}: {name} is there twice.")
        seen.add(name)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
