"""One photo, one call, and whether the answer is a prediction."""

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
"""A drawing of ours, of 335 x 291 pixels: `sample_dogs.dataset.encoded(0, "test", breed, 1)` for the breed Poodle."""

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 20


class ProbeError(Exception):
    """The endpoint is not what the deploy promised. Its text is for the person who deployed."""


def runtime(*, attempts: int) -> "SageMakerRuntimeClient":
    """A client whose call ends after `attempts` times the two time limits above, and the pauses between."""
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(
        "sagemaker-runtime",
        config=Config(connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries=retries),
    )


def ask(client: "SageMakerRuntimeClient", endpoint_name: str) -> Json:
    """The endpoint's answer to the photo.

    Raises `ProbeError` where the answer is no prediction, and botocore's errors where there is no answer.
    """
    response = client.invoke_endpoint(
        EndpointName=endpoint_name, Body=PHOTO, ContentType="image/jpeg", Accept="application/json"
    )
    body = response["Body"].read()
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not _is_prediction(answer):
        raise ProbeError(
            f"Endpoint {endpoint_name} answered a photo with {body[:200].decode(errors='replace')!r}, which is no "
            'prediction: {"predictions": [{"breed": ..., "probability": ...}, ...], "model": ...} was expected. '
            "Deploy an image and an artifact of the same version of this repository."
        )
    return dict(answer)


def _is_prediction(answer: object) -> bool:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("predictions"), list):
        return False
    predictions = answer["predictions"]
    return bool(predictions and all(map(_is_guess, predictions)) and _is_name(answer.get("model")))


def _is_guess(guess: object) -> bool:
    if not isinstance(guess, Mapping):
        return False
    probability = guess.get("probability")
    if not isinstance(probability, int | float) or isinstance(probability, bool):
        return False
    return _is_name(guess.get("breed")) and 0 <= probability <= 1


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""
