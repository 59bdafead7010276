"""Data capture: which requests and responses of an endpoint are written to S3, where and as whom."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.api import Json
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.sagemaker.capture import Capture, Exchange
from rehearsal.cloud.sagemaker.failure import HostingError
from tests.cloud.hosted import ROLE, Hosted, hosted
from tests.patience import PATIENCE_S

CAPTURE: Json = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/captured/",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Hosted]:
    with hosted(tmp_path, clock=Clock(speed=1000)) as found:
        yield found


def config(cloud: Hosted, name: str, **capture: Any) -> None:
    cloud.model(f"{name}-model", says='{"breed": "poodle"}')
    variant = {"VariantName": "AllTraffic", "ModelName": f"{name}-model", "InitialInstanceCount": 1}
    settings = {**CAPTURE, **capture}
    cloud.call(
        "CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant], DataCaptureConfig=settings
    )


def captured(cloud: Hosted) -> list[Json]:
    """The lines in S3 once the endpoint has been deleted, which writes those that are left."""
    cloud.serving.endpoints.delete("dogs").wait()
    objects = {uri: body for uri, body in cloud.world.objects.items() if uri.startswith("s3://bucket/captured/")}
    assert all(uri.startswith("s3://bucket/captured/dogs/AllTraffic/20") for uri in objects)
    return [json.loads(line) for body in objects.values() for line in body.splitlines()]


def test_requests_and_responses_are_written_as_the_models_role(cloud: Hosted) -> None:
    config(cloud, "all")
    cloud.deployed(config="all")
    cloud.invoke(b"\xff\xd8", content_type="image/jpeg", accept="application/json")
    cloud.invoke(b"\xff\xd9", content_type="image/jpeg", accept="application/json")

    first, second = captured(cloud)
    assert first["captureData"]["endpointInput"] == {
        "observedContentType": "image/jpeg",
        "mode": "INPUT",
        "data": "/9g=",
        "encoding": "BASE64",
    }
    assert first["captureData"]["endpointOutput"]["data"] == '{"breed": "poodle"}'
    assert first["captureData"]["endpointOutput"]["encoding"] == "JSON"
    assert first["eventMetadata"]["eventId"] != second["eventMetadata"]["eventId"]
    assert (ROLE, "s3:PutObject") in cloud.world.calls


@pytest.mark.parametrize(
    "capture",
    [{"EnableCapture": False}, {"InitialSamplingPercentage": 0}],
    ids=["not-enabled", "no-percent"],
)
def test_nothing_is_captured_unless_it_is_asked_for(cloud: Hosted, capture: Json) -> None:
    config(cloud, "none", **capture)
    cloud.deployed(config="none")
    cloud.invoke()

    assert captured(cloud) == []


def test_only_the_modes_that_are_asked_for_are_captured(cloud: Hosted) -> None:
    config(cloud, "output", CaptureOptions=[{"CaptureMode": "Output"}])
    cloud.deployed(config="output")
    cloud.invoke()

    (line,) = captured(cloud)
    assert list(line["captureData"]) == ["endpointOutput"]


@pytest.mark.parametrize(("excluded", "count"), [([], 0), (["DataCaptureConfig"], 1)], ids=["retained", "excluded"])
def test_an_update_that_retains_all_properties_turns_capture_on_only_if_it_is_excluded(
    cloud: Hosted, excluded: list[str], count: int
) -> None:
    config(cloud, "all")
    cloud.model("first")
    cloud.deployed()
    shown = cloud.updated(
        "all",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": each} for each in excluded],
    )
    cloud.invoke()

    assert shown.get("DataCaptureConfig", {}).get("CaptureStatus", "") == ("Started" if count else "")
    assert len(captured(cloud)) == count


def test_an_endpoint_whose_role_may_not_write_answers(cloud: Hosted) -> None:
    config(cloud, "all")
    cloud.deployed(config="all")
    cloud.world.denied.add("s3:PutObject")

    assert cloud.invoke().status == 200
    assert captured(cloud) == []


def test_capture_goes_on_after_a_time_in_which_the_role_could_not_be_assumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rehearsal.cloud.sagemaker.capture.GATHER_S", 0.01)
    written: list[bytes] = []

    class Bucket:
        def put_object(self, *, Body: bytes, **_: Any) -> None:  # noqa: N803
            written.append(Body)

    def no_role() -> Any:
        asked.set()
        raise HostingError("Could not assume role")

    asked = threading.Event()
    capture = Capture("dogs")
    exchange = Exchange("AllTraffic", datetime.now(UTC), "text/plain", b"in", "text/plain", b"out")
    capture.add(CAPTURE, no_role, exchange)
    assert asked.wait(PATIENCE_S)
    capture.add(CAPTURE, Bucket, exchange)
    capture.close()

    assert len(written) == 1
