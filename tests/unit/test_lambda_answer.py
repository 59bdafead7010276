"""A caller gets the predictions and the model of the endpoint's answer, and no 200 without them."""

import json

import pytest

from lambda_fn.answer import parsed
from lambda_fn.errors import ServiceError

ROW = {"breed": "Beagle", "probability": 0.97}


def test_a_caller_gets_the_documented_members_and_no_others() -> None:
    body = {"predictions": [{**ROW, "path": "/opt/ml"}, ROW], "model": "m-1", "trace": "secret"}
    assert parsed(json.dumps(body).encode()) == {"predictions": [ROW, ROW], "model": "m-1"}


@pytest.mark.parametrize("probability", [0, 1, 0.5])
def test_a_probability_may_be_a_whole_number(probability: float) -> None:
    body = json.dumps({"predictions": [{"breed": "Pug", "probability": probability}], "model": "m-1"})
    # exact: the number is passed on as JSON has it
    assert parsed(body.encode())["predictions"] == [{"breed": "Pug", "probability": probability}]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"predictions": [ROW]},
        {"predictions": [ROW], "model": ""},
        {"predictions": [ROW], "model": 7},
        {"predictions": [], "model": "m-1"},
        {"predictions": {}, "model": "m-1"},
        {"predictions": ["Beagle"], "model": "m-1"},
        {"predictions": [ROW, {"breed": "Pug"}], "model": "m-1"},
        {"predictions": [{**ROW, "breed": ""}], "model": "m-1"},
        {"predictions": [{**ROW, "breed": ["Pug"]}], "model": "m-1"},
        {"predictions": [{**ROW, "probability": "0.9"}], "model": "m-1"},
        {"predictions": [{**ROW, "probability": True}], "model": "m-1"},
        {"predictions": [{**ROW, "probability": 1.5}], "model": "m-1"},
        {"predictions": [{**ROW, "probability": -0.1}], "model": "m-1"},
        {"predictions": [{**ROW, "probability": None}], "model": "m-1"},
        {"predictions": [{**ROW, "probability": float("nan")}], "model": "m-1"},
    ],
)
def test_any_other_answer_is_a_failure_of_the_model(body: object) -> None:
    with pytest.raises(ServiceError) as caught:
        parsed(json.dumps(body).encode())
    assert (caught.value.fault.status, caught.value.fault.code) == (502, "model_failed")


@pytest.mark.parametrize("body", [b"", b"not JSON", b"\xff\xfe", b"[" * 100_000, b'{"predictions": ['])
def test_a_body_that_is_not_json_is_a_failure_of_the_model(body: bytes) -> None:
    with pytest.raises(ServiceError):
        parsed(body)
