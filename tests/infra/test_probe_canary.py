"""The canary function: it succeeds if the endpoint answers, and fails if it does not."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from rehearsal.aws.sagemaker_runtime import SageMakerRuntime
from rehearsal.processes import free_port
from stacks.serving.canary import TIMEOUT_S
from stacks.serving.probe import canary, prediction
from tests.rehearsal.container import Container, serving


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    with serving() as container, SageMakerRuntime({"dogs": container.url}) as runtime:
        for name, value in {
            "ENDPOINT_NAME": "dogs",
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": runtime.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield container


def test_it_succeeds_if_the_endpoint_returns_a_prediction(container: Container) -> None:
    canary.on_schedule({}, None)
    assert [body for _, body in container.requests] == [prediction.PHOTO]


def test_it_fails_if_the_model_fails(container: Container) -> None:
    container.status = 500
    with pytest.raises(ClientError, match="500"):
        canary.on_schedule({}, None)


def test_it_does_not_retry_since_each_call_counts_for_autoscaling(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SageMakerRuntime({"dogs": f"http://127.0.0.1:{free_port()}"}) as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", runtime.url)
        with pytest.raises(ClientError, match="ServiceUnavailable") as caught:
            canary.on_schedule({}, None)
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_it_fails_if_the_response_is_not_a_prediction(container: Container) -> None:
    container.body = b"{}"
    with pytest.raises(prediction.ProbeError, match="not a prediction"):
        canary.on_schedule({}, None)


def test_it_fails_if_the_endpoint_does_not_exist(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_NAME", "cats")
    with pytest.raises(ClientError, match="not found"):
        canary.on_schedule({}, None)


def test_the_functions_timeout_is_longer_than_one_attempt() -> None:
    assert prediction.CONNECT_TIMEOUT_S + prediction.READ_TIMEOUT_S < TIMEOUT_S
