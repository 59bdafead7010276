"""The table of faults and their responses."""

import json

import pytest

from lambda_fn import errors
from lambda_fn.errors import Fault, ServiceError, of_model_status, ok

TABLE = [fault for fault in vars(errors).values() if isinstance(fault, Fault)]


@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.code)
def test_each_fault_becomes_a_proxy_response_with_a_sentence(fault: Fault) -> None:
    response = ServiceError(fault).response("request-1")

    assert 400 <= response["statusCode"] < 600
    assert response["headers"]["Content-Type"] == "application/json"
    error = json.loads(response["body"])["error"]
    assert error.pop("retry_after_s", None) == fault.retry_after_s
    assert error == {"code": fault.code, "message": fault.message, "request_id": "request-1"}
    assert fault.message[0].isupper()
    assert fault.message.endswith(".")


def test_each_fault_has_its_own_code() -> None:
    assert len({fault.code for fault in TABLE}) == len(TABLE) >= 15


@pytest.mark.parametrize("fault", [fault for fault in TABLE if fault.status == 503], ids=lambda fault: fault.code)
def test_a_503_has_retry_after(fault: Fault) -> None:
    assert int(ServiceError(fault).response("")["headers"]["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("model", "caller"),
    [(0, 504), (400, 400), (404, 400), (413, 413), (415, 415), (422, 422), (429, 503), (500, 502), (503, 502)],
)
def test_the_containers_status_is_mapped_to_the_callers_status(model: int, caller: int) -> None:
    assert of_model_status(model).status == caller


def test_a_response_has_the_request_id() -> None:
    response = ok({"predictions": []}, "request-1")

    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {"predictions": [], "request_id": "request-1"}
