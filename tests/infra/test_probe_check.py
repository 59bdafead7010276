"""The check after a deploy: what passes, what fails, and that CloudFormation always gets a response.

The endpoint is a real local one. DescribeEndpoint's responses are scripted, and the response URL is a local server.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from inference.server.service import Service
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime
from stacks.serving.probe import check, prediction
from tests.builders import write_artifact
from tests.infra.fake_endpoints import FakeEndpoints, Json, ResponseUrl, endpoint, endpoints, response_url
from tests.rehearsal.container import ANSWER, Container, serving


class Context:
    log_stream_name = "stream"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def container() -> Iterator[Container]:
    with serving() as container:
        yield container


@pytest.fixture
def sagemaker(container: Container, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpoints]:
    with endpoints() as fake, SageMakerRuntime({"dogs": container.url}) as runtime:
        for name, value in {
            "AWS_ENDPOINT_URL_SAGEMAKER": fake.url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": runtime.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield fake


@pytest.fixture
def cloudformation() -> Iterator[ResponseUrl]:
    with response_url() as url:
        yield url


def event(url: ResponseUrl, kind: str = "Create", **changes: Any) -> Json:
    known = {} if kind == "Create" else {"PhysicalResourceId": "made-before"}
    return {
        "RequestType": kind,
        "ResponseURL": f"{url.url}/response?X-Amz-Signature=abc",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/kennel-serving/1",
        "RequestId": "r-1",
        "LogicalResourceId": "Check",
        "ResourceProperties": {"EndpointName": "dogs", "EndpointConfigName": "new", "InputsDigest": "abc"},
        **known,
        **changes,
    }


def outcome(url: ResponseUrl, kind: str = "Create", **changes: Any) -> Json:
    """The response that CloudFormation gets."""
    check.on_event(event(url, kind, **changes), Context())
    return url.response


def reason(url: ResponseUrl) -> str:
    """The reason of a failed check. Asserts that the check fails."""
    response = outcome(url)
    assert response["Status"] == "FAILED"
    return str(response["Reason"])


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_an_endpoint_that_serves_the_new_config_and_answers_passes(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseUrl, kind: str
) -> None:
    response = outcome(cloudformation, kind)
    assert (response["Status"], response["Data"]) == ("SUCCESS", {"Model": "test-model", "Breed": "Beagle"})
    ((headers, body),) = container.requests
    assert (headers["content-type"], body) == ("image/jpeg", prediction.PHOTO)


def test_the_response_names_the_request_that_it_answers(sagemaker: FakeEndpoints, cloudformation: ResponseUrl) -> None:
    response, request = outcome(cloudformation), event(cloudformation)
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert response[name] == request[name]
    ((headers, _),) = cloudformation.puts
    assert headers["content-type"] == ""  # the URL is signed without a content type; S3 rejects any other request


def test_an_update_keeps_the_physical_id_so_that_nothing_is_deleted(
    sagemaker: FakeEndpoints, cloudformation: ResponseUrl
) -> None:
    assert outcome(cloudformation, "Update")["PhysicalResourceId"] == "made-before"


def test_a_rollback_by_sagemaker_fails_the_deploy(sagemaker: FakeEndpoints, cloudformation: ResponseUrl) -> None:
    sagemaker.described = [endpoint(EndpointConfigName="old")]
    message = reason(cloudformation)
    assert "serves endpoint config old, not the new new" in message
    assert "SageMaker rolled the update back" in message
    assert "/aws/sagemaker/Endpoints/dogs" in message


def test_an_endpoint_with_the_old_config_is_not_invoked(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseUrl
) -> None:
    sagemaker.described = [endpoint(EndpointConfigName="old")]
    reason(cloudformation)
    assert container.requests == []


def test_a_failed_endpoint_fails_the_deploy_with_sagemakers_reason(
    sagemaker: FakeEndpoints, cloudformation: ResponseUrl
) -> None:
    sagemaker.described = [
        endpoint(EndpointStatus="Failed", FailureReason="The container did not pass the ping check.")
    ]
    message = reason(cloudformation)
    assert "Endpoint dogs is Failed, not InService" in message
    assert "did not pass the ping check" in message


PREDICTION = {"breed": "Beagle", "probability": 0.5}


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"predictions": [], "model": "m"},
        {"predictions": [PREDICTION]},
        {"predictions": [PREDICTION], "model": ""},
        {"predictions": ["Beagle"], "model": "m"},
        {"predictions": [PREDICTION, {"breed": "Pug"}], "model": "m"},
        {"predictions": [{"breed": "", "probability": 0.5}], "model": "m"},
        {"predictions": [{"breed": "Beagle", "probability": "0.5"}], "model": "m"},
        {"predictions": [{"breed": "Beagle", "probability": True}], "model": "m"},
        {"predictions": [{"breed": "Beagle", "probability": 1.5}], "model": "m"},
        {"predictions": [{"breed": "Beagle", "probability": math.nan}], "model": "m"},
    ],
    ids=str,
)
def test_a_response_that_is_not_a_prediction_fails_the_deploy(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseUrl, answer: object
) -> None:
    container.body = json.dumps(answer).encode()
    assert "which is not a prediction" in reason(cloudformation)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe"])
def test_a_response_that_is_not_json_fails_the_deploy(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseUrl, body: bytes
) -> None:
    container.body = body
    assert "which is not a prediction" in reason(cloudformation)


def test_a_model_that_fails_fails_the_deploy_with_its_message_and_log_group(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseUrl
) -> None:
    container.status, container.body = 500, b"no such tensor"
    message = reason(cloudformation)
    assert "no such tensor" in message
    assert "/aws/sagemaker/Endpoints/dogs" in message
    assert "--no-rollback" in message


def test_a_deleted_endpoint_fails_the_deploy(sagemaker: FakeEndpoints, cloudformation: ResponseUrl) -> None:
    sagemaker.described = [("ValidationException", 'Could not find endpoint "dogs".')]
    assert 'Could not find endpoint "dogs"' in reason(cloudformation)


def test_a_delete_succeeds_without_any_call(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseUrl
) -> None:
    sagemaker.described = [("ValidationException", 'Could not find endpoint "dogs".')]
    response = outcome(cloudformation, "Delete")
    assert (response["Status"], response["PhysicalResourceId"]) == ("SUCCESS", "made-before")
    assert (sagemaker.calls, container.requests) == (0, [])


def test_a_bug_in_the_check_fails_the_deploy_at_once(sagemaker: FakeEndpoints, cloudformation: ResponseUrl) -> None:
    response = outcome(cloudformation, ResourceProperties={})
    assert response["Status"] == "FAILED"
    assert "The check itself failed: KeyError('EndpointName')" in response["Reason"]


@pytest.mark.parametrize("character", ["a", "é", "🐕"])
def test_a_long_reason_fits_into_the_response_and_keeps_the_remedy(
    sagemaker: FakeEndpoints, cloudformation: ResponseUrl, character: str
) -> None:
    sagemaker.described = [endpoint(EndpointStatus="Failed", FailureReason=character * 1024)]
    assert "fix the cause and deploy again" in reason(cloudformation)
    ((_, body),) = cloudformation.puts
    assert len(body) <= 4096


def test_a_long_message_of_the_container_does_not_hide_the_remedy(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseUrl
) -> None:
    container.status, container.body = 500, b"x" * 4000
    assert "--no-rollback" in reason(cloudformation)
    ((_, body),) = cloudformation.puts
    assert len(body) <= 4096


def test_a_long_error_message_fits_into_the_response(sagemaker: FakeEndpoints, cloudformation: ResponseUrl) -> None:
    class Broken(Context):
        def get_remaining_time_in_millis(self) -> int:
            raise RuntimeError("x" * 5000)

    sagemaker.described = [endpoint(EndpointStatus="Updating")]
    check.on_event(event(cloudformation), Broken())
    ((_, body),) = cloudformation.puts
    assert len(body) <= 4096
    assert cloudformation.response["Status"] == "FAILED"


def test_a_failed_put_of_the_response_is_retried(sagemaker: FakeEndpoints, cloudformation: ResponseUrl) -> None:
    cloudformation.failures = 1
    assert outcome(cloudformation)["Status"] == "SUCCESS"


def endpoint_check(*, remaining_s: float = 900) -> tuple[check.EndpointCheck, list[float]]:
    """A check whose clock advances only while it sleeps, and the list of its sleeps in seconds."""
    slept: list[float] = []
    made = check.EndpointCheck(
        sagemaker=boto3.client("sagemaker"),
        runtime=prediction.runtime_client(attempts=1),
        remaining_s=lambda: remaining_s - sum(slept),
        sleep=slept.append,
    )
    return made, slept


@pytest.mark.parametrize("status", check.IN_TRANSITION)
def test_it_waits_for_an_endpoint_that_autoscaling_is_changing(sagemaker: FakeEndpoints, status: str) -> None:
    sagemaker.described = [endpoint(EndpointStatus=status), endpoint(EndpointStatus=status), endpoint()]
    made, slept = endpoint_check()
    assert made.run("dogs", "new") == ANSWER
    assert slept == [check.POLL_INTERVAL_S] * 2


def test_an_endpoint_that_stays_in_transition_fails_before_the_functions_timeout(sagemaker: FakeEndpoints) -> None:
    sagemaker.described = [endpoint(EndpointStatus="Updating")]
    made, slept = endpoint_check(remaining_s=300)
    with pytest.raises(prediction.ProbeError, match="Endpoint dogs is still Updating; deploy again"):
        made.run("dogs", "new")
    assert 300 - sum(slept) >= check.RESERVE_S


def test_it_waits_for_a_new_role_to_propagate(sagemaker: FakeEndpoints) -> None:
    denied = ("AccessDeniedException", "not authorized to perform: sagemaker:DescribeEndpoint")
    sagemaker.described = [denied, denied, endpoint()]
    made, slept = endpoint_check()
    assert made.run("dogs", "new") == ANSWER
    assert len(slept) == 2


def test_a_role_that_lacks_the_right_fails_after_the_propagation_time(sagemaker: FakeEndpoints) -> None:
    sagemaker.described = [("AccessDeniedException", "not authorized to perform: sagemaker:DescribeEndpoint")]
    made, slept = endpoint_check()
    with pytest.raises(prediction.ProbeError, match="not authorized"):
        made.run("dogs", "new")
    assert sum(slept) == check.IAM_PROPAGATION_S


def test_the_scripted_description_agrees_with_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compares the scripted responses above with a second implementation of DescribeEndpoint."""
    with mock_aws():
        client = boto3.client("sagemaker", region_name="eu-west-1")
        client.create_model(ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/r")
        variant: Any = {"VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.large"}
        variant["InitialInstanceCount"] = 1
        client.create_endpoint_config(EndpointConfigName="new", ProductionVariants=[variant])
        client.create_endpoint(EndpointName="dogs", EndpointConfigName="new")
        described = client.describe_endpoint(EndpointName="dogs")
    assert {name: described[name] for name in endpoint()} == endpoint()  # type: ignore[literal-required]


def test_the_response_of_the_serving_code_passes(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseUrl, tmp_path: Path
) -> None:
    service = Service(write_artifact(tmp_path / "model"))
    service.load()
    answer = {"predictions": service.predictions(prediction.PHOTO, 5), "model": service.classifier.model_id}
    container.body = json.dumps(answer).encode()
    assert outcome(cloudformation)["Status"] == "SUCCESS"
