"""The canary function: quiet where the endpoint answers, failing where it does not."""

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


def test_an_answered_photo_is_a_success(container: Container) -> None:
    canary.on_schedule({}, None)
    assert [body for _, body in container.asked] == [prediction.PHOTO]


def test_a_model_that_fails_fails_the_function(container: Container) -> None:
    container.status = 500
    with pytest.raises(ClientError, match="500"):
        canary.on_schedule({}, None)


def test_a_failed_call_is_not_repeated_for_each_call_counts_for_autoscaling(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SageMakerRuntime({"dogs": f"http://127.0.0.1:{free_port()}"}) as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", runtime.url)
        with pytest.raises(ClientError, match="ServiceUnavailable") as caught:
            canary.on_schedule({}, None)
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_an_answer_that_is_no_prediction_fails_the_function(container: Container) -> None:
    container.body = b"{}"
    with pytest.raises(prediction.ProbeError, match="no prediction"):
        canary.on_schedule({}, None)


def test_an_endpoint_that_does_not_exist_fails_the_function(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_NAME", "cats")
    with pytest.raises(ClientError, match="not found"):
        canary.on_schedule({}, None)


def test_lambda_waits_longer_than_the_one_attempt_takes() -> None:
    assert prediction.CONNECT_TIMEOUT_S + prediction.READ_TIMEOUT_S < TIMEOUT_S
