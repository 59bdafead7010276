"""Invoke an endpoint with one photo and validate its response."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

Json = dict[str, Any]

PHOTO = (Path(__file__).parent / "dog.jpg").read_bytes()
"""A drawing of 335 x 291 pixels: `sample_dogs.dataset.encoded(0, "test", breed, 1)` for the breed Poodle."""

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 20


class ProbeError(Exception):
    """The endpoint does not serve what was deployed. The message is for the person who deploys."""


def runtime_client(*, attempts: int) -> "SageMakerRuntimeClient":
    """A client whose call takes at most `attempts` times the two timeouts above, plus the pauses between attempts."""
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(
        "sagemaker-runtime",
        config=Config(connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries=retries),
    )


def predict(client: "SageMakerRuntimeClient", endpoint_name: str) -> Json:
    """The endpoint's response to the photo.

    Raises `ProbeError` if the response is not a prediction, and botocore's errors if there is no response.
    """
    response = client.invoke_endpoint(
        EndpointName=endpoint_name, Body=PHOTO, ContentType="image/jpeg", Accept="application/json"
    )
    body = response["Body"].read()
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not _is_response(answer):
        raise ProbeError(
            f"Endpoint {endpoint_name} answered a photo with {body[:200].decode(errors='replace')!r}, which is not a "
            'prediction: {"predictions": [{"breed": ..., "probability": ...}, ...], "model": ...} was expected. '
            "Deploy an image and an artifact from the same version of this repository."
        )
    return dict(answer)


def _is_response(answer: object) -> bool:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("predictions"), list):
        return False
    predictions = answer["predictions"]
    return bool(predictions and all(map(_is_prediction, predictions)) and _is_name(answer.get("model")))


def _is_prediction(item: object) -> bool:
    if not isinstance(item, Mapping):
        return False
    probability = item.get("probability")
    if not isinstance(probability, int | float) or isinstance(probability, bool):
        return False
    return _is_name(item.get("breed")) and 0 <= probability <= 1


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""
