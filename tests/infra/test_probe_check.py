"""The check after a deploy: what it lets pass, what it refuses, and that CloudFormation always hears of it.

The endpoint is a real local one; only what SageMaker says of it is scripted, and CloudFormation's address recorded.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from inference.server.app import Service
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime
from stacks.serving.probe import check, prediction
from tests.builders import write_artifact
from tests.infra.fake_endpoints import FakeEndpoints, Json, ResponseAddress, endpoint, endpoints, response_address
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
def cloudformation() -> Iterator[ResponseAddress]:
    with response_address() as address:
        yield address


def event(address: ResponseAddress, kind: str = "Create", **changes: Any) -> Json:
    known = {} if kind == "Create" else {"PhysicalResourceId": "made-before"}
    return {
        "RequestType": kind,
        "ResponseURL": f"{address.url}/response?X-Amz-Signature=abc",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/kennel-serving/1",
        "RequestId": "r-1",
        "LogicalResourceId": "Check",
        "ResourceProperties": {"EndpointName": "dogs", "EndpointConfigName": "new", "Recipe": "abc"},
        **known,
        **changes,
    }


def outcome(address: ResponseAddress, kind: str = "Create", **changes: Any) -> Json:
    """What CloudFormation is told."""
    check.on_event(event(address, kind, **changes), Context())
    return address.answer


def reason(address: ResponseAddress) -> str:
    """Why a deploy fails; fails itself where it would not."""
    told = outcome(address)
    assert told["Status"] == "FAILED"
    return str(told["Reason"])


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_an_endpoint_that_serves_the_new_config_and_answers_passes(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseAddress, kind: str
) -> None:
    told = outcome(cloudformation, kind)
    assert (told["Status"], told["Data"]) == ("SUCCESS", {"Model": "test-model", "Breed": "Beagle"})
    ((headers, body),) = container.asked
    assert (headers["content-type"], body) == ("image/jpeg", prediction.PHOTO)


def test_cloudformation_hears_which_request_is_answered(
    sagemaker: FakeEndpoints, cloudformation: ResponseAddress
) -> None:
    told, asked = outcome(cloudformation), event(cloudformation)
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert told[name] == asked[name]
    ((headers, _),) = cloudformation.puts
    assert headers["content-type"] == ""  # the address is signed without one; S3 refuses any other


def test_the_physical_id_stays_so_that_cloudformation_has_nothing_to_clean_up(
    sagemaker: FakeEndpoints, cloudformation: ResponseAddress
) -> None:
    assert outcome(cloudformation, "Update")["PhysicalResourceId"] == "made-before"


def test_a_silent_rollback_fails_the_deploy(sagemaker: FakeEndpoints, cloudformation: ResponseAddress) -> None:
    sagemaker.described = [endpoint(EndpointConfigName="old")]
    told = reason(cloudformation)
    assert "serves endpoint config old, not the new new" in told
    assert "SageMaker rolled the update back" in told
    assert "/aws/sagemaker/Endpoints/dogs" in told


def test_nothing_is_asked_of_an_endpoint_that_is_not_the_new_one(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseAddress
) -> None:
    sagemaker.described = [endpoint(EndpointConfigName="old")]
    reason(cloudformation)
    assert container.asked == []


def test_a_failed_endpoint_fails_the_deploy_with_sagemakers_reason(
    sagemaker: FakeEndpoints, cloudformation: ResponseAddress
) -> None:
    sagemaker.described = [
        endpoint(EndpointStatus="Failed", FailureReason="The container did not pass the ping check.")
    ]
    told = reason(cloudformation)
    assert "Endpoint dogs is Failed, not InService" in told
    assert "did not pass the ping check" in told


GUESS = {"breed": "Beagle", "probability": 0.5}


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"predictions": [], "model": "m"},
        {"predictions": [GUESS]},
        {"predictions": [GUESS], "model": ""},
        {"predictions": ["Beagle"], "model": "m"},
        {"predictions": [GUESS, {"breed": "Pug"}], "model": "m"},
        {"predictions": [{"breed": "", "probability": 0.5}], "model": "m"},
        {"predictions": [{"breed": "Beagle", "probability": "0.5"}], "model": "m"},
        {"predictions": [{"breed": "Beagle", "probability": True}], "model": "m"},
        {"predictions": [{"breed": "Beagle", "probability": 1.5}], "model": "m"},
        {"predictions": [{"breed": "Beagle", "probability": math.nan}], "model": "m"},
    ],
    ids=str,
)
def test_an_answer_that_is_no_prediction_fails_the_deploy(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseAddress, answer: object
) -> None:
    container.body = json.dumps(answer).encode()
    assert "which is no prediction" in reason(cloudformation)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe"])
def test_an_answer_that_is_no_json_fails_the_deploy(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseAddress, body: bytes
) -> None:
    container.body = body
    assert "which is no prediction" in reason(cloudformation)


def test_a_model_that_fails_fails_the_deploy_with_its_words_and_its_log(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseAddress
) -> None:
    container.status, container.body = 500, b"no such tensor"
    told = reason(cloudformation)
    assert "no such tensor" in told
    assert "/aws/sagemaker/Endpoints/dogs" in told
    assert "--no-rollback" in told


def test_an_endpoint_that_is_gone_fails_the_deploy(sagemaker: FakeEndpoints, cloudformation: ResponseAddress) -> None:
    sagemaker.described = [("ValidationException", 'Could not find endpoint "dogs".')]
    assert 'Could not find endpoint "dogs"' in reason(cloudformation)


def test_a_delete_succeeds_and_asks_nobody(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseAddress
) -> None:
    sagemaker.described = [("ValidationException", 'Could not find endpoint "dogs".')]
    told = outcome(cloudformation, "Delete")
    assert (told["Status"], told["PhysicalResourceId"]) == ("SUCCESS", "made-before")
    assert (sagemaker.calls, container.asked) == (0, [])


def test_a_bug_in_the_check_is_told_rather_than_waited_for(
    sagemaker: FakeEndpoints, cloudformation: ResponseAddress
) -> None:
    told = outcome(cloudformation, ResourceProperties={})
    assert told["Status"] == "FAILED"
    assert "The check itself failed: KeyError('EndpointName')" in told["Reason"]


@pytest.mark.parametrize("letter", ["a", "é", "🐕"])
def test_a_long_reason_fits_what_cloudformation_takes_and_keeps_the_remedy(
    sagemaker: FakeEndpoints, cloudformation: ResponseAddress, letter: str
) -> None:
    sagemaker.described = [endpoint(EndpointStatus="Failed", FailureReason=letter * 1024)]
    assert "mend the cause and deploy again" in reason(cloudformation)
    ((_, body),) = cloudformation.puts
    assert len(body) <= 4096


def test_a_container_that_says_much_does_not_hide_the_remedy(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseAddress
) -> None:
    container.status, container.body = 500, b"x" * 4000
    assert "--no-rollback" in reason(cloudformation)
    ((_, body),) = cloudformation.puts
    assert len(body) <= 4096


def test_even_a_long_winded_bug_fits_what_cloudformation_takes(
    sagemaker: FakeEndpoints, cloudformation: ResponseAddress
) -> None:
    class Broken(Context):
        def get_remaining_time_in_millis(self) -> int:
            raise RuntimeError("x" * 5000)

    sagemaker.described = [endpoint(EndpointStatus="Updating")]
    check.on_event(event(cloudformation), Broken())
    ((_, body),) = cloudformation.puts
    assert len(body) <= 4096
    assert cloudformation.answer["Status"] == "FAILED"


def test_an_address_that_fails_once_is_told_again(sagemaker: FakeEndpoints, cloudformation: ResponseAddress) -> None:
    cloudformation.refusals = 1
    assert outcome(cloudformation)["Status"] == "SUCCESS"


def endpoint_check(*, left_s: float = 900) -> tuple[check.EndpointCheck, list[float]]:
    """A check whose clock runs only while it sleeps, and what it slept."""
    slept: list[float] = []
    made = check.EndpointCheck(
        sagemaker=boto3.client("sagemaker"),
        runtime=prediction.runtime(attempts=1),
        left_s=lambda: left_s - sum(slept),
        sleep=slept.append,
    )
    return made, slept


@pytest.mark.parametrize("status", check.UNSETTLED)
def test_an_endpoint_that_autoscaling_is_changing_is_waited_for(sagemaker: FakeEndpoints, status: str) -> None:
    sagemaker.described = [endpoint(EndpointStatus=status), endpoint(EndpointStatus=status), endpoint()]
    made, slept = endpoint_check()
    assert made.run("dogs", "new") == ANSWER
    assert slept == [check.LOOK_EVERY_S] * 2


def test_an_endpoint_that_never_settles_fails_while_there_is_time_to_say_so(sagemaker: FakeEndpoints) -> None:
    sagemaker.described = [endpoint(EndpointStatus="Updating")]
    made, slept = endpoint_check(left_s=300)
    with pytest.raises(prediction.ProbeError, match="Endpoint dogs is still Updating; deploy again"):
        made.run("dogs", "new")
    assert 300 - sum(slept) >= check.RESERVE_S


def test_a_role_that_is_not_known_everywhere_yet_is_waited_for(sagemaker: FakeEndpoints) -> None:
    refused = ("AccessDeniedException", "not authorized to perform: sagemaker:DescribeEndpoint")
    sagemaker.described = [refused, refused, endpoint()]
    made, slept = endpoint_check()
    assert made.run("dogs", "new") == ANSWER
    assert len(slept) == 2


def test_a_role_that_lacks_the_right_is_not_waited_for_for_ever(sagemaker: FakeEndpoints) -> None:
    sagemaker.described = [("AccessDeniedException", "not authorized to perform: sagemaker:DescribeEndpoint")]
    made, slept = endpoint_check()
    with pytest.raises(prediction.ProbeError, match="not authorized"):
        made.run("dogs", "new")
    assert sum(slept) == check.NEW_ROLE_S


def test_what_it_reads_is_what_moto_describes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds the scripted answers above to those of a second implementation of DescribeEndpoint."""
    with mock_aws():
        client = boto3.client("sagemaker", region_name="eu-west-1")
        client.create_model(ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/r")
        variant: Any = {"VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.large"}
        variant["InitialInstanceCount"] = 1
        client.create_endpoint_config(EndpointConfigName="new", ProductionVariants=[variant])
        client.create_endpoint(EndpointName="dogs", EndpointConfigName="new")
        described = client.describe_endpoint(EndpointName="dogs")
    assert {name: described[name] for name in endpoint()} == endpoint()  # type: ignore[literal-required]


def test_the_serving_codes_own_answer_to_the_photo_is_a_prediction(
    sagemaker: FakeEndpoints, container: Container, cloudformation: ResponseAddress, tmp_path: Path
) -> None:
    service = Service(write_artifact(tmp_path / "model"))
    service.load()
    answer = {"predictions": service.predictions(prediction.PHOTO, 5), "model": service.classifier.model_id}
    container.body = json.dumps(answer).encode()
    assert outcome(cloudformation)["Status"] == "SUCCESS"
