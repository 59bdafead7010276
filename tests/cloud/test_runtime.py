"""InvokeEndpoint in front of the fleets: routing, headers, limits and errors."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.aws.invocation import MAX_BODY_BYTES
from rehearsal.cloud.api import Json, Response
from tests.cloud.hosted import Hosted, hosted
from tests.cloud.time_by_hand import HandClock


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Hosted]:
    with hosted(tmp_path) as found:
        yield found


def two_instances(cloud: Hosted, strategy: str) -> None:
    """An endpoint whose servers answer after 0.3 s."""
    cloud.model("slow", sleep_s=0.3)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "slow",
        "InitialInstanceCount": 2,
        "RoutingConfig": {"RoutingStrategy": strategy},
    }
    cloud.call("CreateEndpointConfig", EndpointConfigName="two", ProductionVariants=[variant])
    assert cloud.deployed(config="two")["EndpointStatus"] == "InService"


def at_once(cloud: Hosted, count: int) -> set[bytes]:
    """The process ids that answer so many requests at once."""
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(cloud.invoke(b"pid").body)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == count
    return set(answers)


def test_the_instance_with_the_fewest_outstanding_requests_is_chosen(cloud: Hosted) -> None:
    two_instances(cloud, "LEAST_OUTSTANDING_REQUESTS")

    assert [len(at_once(cloud, 2)) for _ in range(6)] == [2] * 6  # random choices: 1 in 64


def test_random_routing_reaches_every_instance(cloud: Hosted) -> None:
    two_instances(cloud, "RANDOM")

    assert len(at_once(cloud, 24)) == 2


def test_only_the_headers_of_the_contract_are_passed_on(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.deployed()
    response = cloud.invoke(
        b"headers",
        accept="application/json",
        authorization="secret",
        content_type="image/jpeg",
        x_amz_date="today",
        x_amzn_sagemaker_custom_attributes="top_k=3",
    )

    headers = json.loads(response.body)
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "top_k=3"
    assert not {"authorization", "x-amz-date"} & set(headers)
    assert response.headers["Content-Type"] == "application/json"


def model_error(response: Response) -> Json:
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (424, "ModelError")
    return dict(json.loads(response.body))


def test_an_error_of_the_model_is_a_model_error(cloud: Hosted) -> None:
    cloud.model("first", status=500, says="out of memory")
    cloud.deployed()

    error = model_error(cloud.invoke())
    assert (error["OriginalStatusCode"], error["OriginalMessage"]) == (500, "out of memory")
    assert "/aws/sagemaker/Endpoints/dogs" in error["Message"]
    assert "111122223333" in error["LogStreamArn"]


def test_an_answer_that_takes_too_long_is_cut(tmp_path: Path) -> None:
    with hosted(tmp_path, invocation_s=0.2) as cloud:
        cloud.model("first", sleep_s=1)
        cloud.deployed()

        error = model_error(cloud.invoke())
        assert (error["OriginalStatusCode"], "timed out" in error["OriginalMessage"]) == (0, True)


def test_a_body_over_the_limit_does_not_reach_the_model(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.deployed()

    assert cloud.invoke(b"x" * MAX_BODY_BYTES).status == 200
    assert cloud.invoke(b"x" * (MAX_BODY_BYTES + 1)).status == 413


def variants(cloud: Hosted, **weights: float) -> None:
    """An endpoint with a variant for each weight, which answers with its name."""
    declared: list[Any] = []
    for name, weight in weights.items():
        cloud.model(name, says=name)
        declared.append(
            {"VariantName": name, "ModelName": name, "InitialInstanceCount": 1, "InitialVariantWeight": weight}
        )
    cloud.call("CreateEndpointConfig", EndpointConfigName="several", ProductionVariants=declared)
    cloud.deployed(config="several")


def test_variants_share_the_traffic_by_weight_unless_a_request_names_one(cloud: Hosted) -> None:
    variants(cloud, one=1, none=0)

    assert {cloud.invoke().body for _ in range(20)} == {b"one"}
    named = cloud.invoke(x_amzn_sagemaker_target_variant="none")
    assert (named.body, named.headers["x-Amzn-Invoked-Production-Variant"]) == (b"none", "none")
    unknown = cloud.invoke(x_amzn_sagemaker_target_variant="other")
    assert (unknown.status, unknown.headers["x-amzn-ErrorType"]) == (400, "ValidationError")


def test_an_endpoint_that_does_not_exist_is_a_validation_error(cloud: Hosted) -> None:
    response = cloud.invoke(name="cats")

    assert (response.status, response.headers["x-amzn-ErrorType"]) == (400, "ValidationError")
    assert json.loads(response.body)["Message"] == "Endpoint cats of account 111122223333 not found."


def test_every_request_is_counted_with_its_latency(tmp_path: Path) -> None:
    clock = HandClock()
    with hosted(tmp_path, clock=clock) as cloud:
        cloud.model("first", sleep_s=0.05, status=503)
        cloud.deployed()
        cloud.invoke()
        cloud.invoke()
        clock.seconds = 61

        (minute,) = cloud.serving.usages.of("dogs", "AllTraffic").minutes(5)
        assert (minute.invocations, minute.errors_5xx, minute.instances) == (2, 2, 1)
        assert min(minute.model_latency_us) >= 50_000
        assert max(minute.overhead_latency_us) < min(minute.model_latency_us)
