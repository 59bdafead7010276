"""The endpoint's answer: a caller gets its predictions and the model's id, and nothing else that it has."""

import json
from typing import Never

from lambda_fn.errors import MODEL_FAILED, ServiceError


def parsed(body: bytes) -> dict[str, object]:
    """{"predictions": [{"breed", "probability"}, ...], "model": ...} of the body, without other members.

    Raises ServiceError unless it has at least one prediction and a model, so no caller gets a 200 without them.
    """
    try:
        answer = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        answer = None
    predictions, model = (answer.get("predictions"), answer.get("model")) if isinstance(answer, dict) else (None, None)
    if not (isinstance(predictions, list) and predictions and isinstance(model, str) and model):
        raise ServiceError(MODEL_FAILED)
    return {"predictions": [_prediction(each) for each in predictions], "model": model}


def _prediction(found: object) -> dict[str, object]:
    breed, probability = (found.get("breed"), found.get("probability")) if isinstance(found, dict) else (None, None)
    if not (isinstance(breed, str) and breed and _is_probability(probability)):
        raise ServiceError(MODEL_FAILED)
    return {"breed": breed, "probability": probability}


def _is_probability(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
