"""The daily drift check, deployed: captured calls, the function, the processing job, its metric, and the alarm."""

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image, ImageEnhance

from rehearsal.cloud.calls import read_calls
from rehearsal.cloud.statements import deployed_roles, uses
from sample_dogs.breeds import BREEDS
from sample_dogs.dataset import encoded
from tests.cloud.kept import Kept, kept_kennel
from tests.patience import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")]

ON = ("-c", "serving.capture.percent=100", "-c", "monitoring.drift.daily=true")
OF_EACH_BREED = 20
NOT_EXERCISED = {
    # 03:00 does not come during the test, which invokes the function itself
    ("kennel-serving/DriftScheduleRole", "lambda:InvokeFunction"),
    # a manifest names each object; the right comes with the grant to read artifacts
    ("kennel-serving/DriftJobRole", "s3:ListBucket if s3:prefix StringLike training/artifacts/*"),
    # AWS documents it for a processing job's role; the local AWS reads the objects of a manifest without a list
    (
        "kennel-serving/DriftJobRole",
        "s3:ListBucket if s3:prefix StringLike capture/pytorch-dog-classifier-multi-instance/AllTraffic/* or "
        "capture/drift/pytorch-dog-classifier-multi-instance/*",
    ),
}


@pytest.fixture(scope="module")
def kennel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with kept_kennel(tmp_path_factory.mktemp("drift"), *ON, test_photos=OF_EACH_BREED) as kept:
        yield kept


def photos() -> list[bytes]:
    """Photos like the test photos, none of which is one of them."""
    return [encoded(1, "test", breed, index) for breed in BREEDS[:3] for index in range(OF_EACH_BREED)]


def darkened(photo: bytes) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        ImageEnhance.Brightness(image).enhance(0.25).save(out, "JPEG")
    return out.getvalue()


class Checked:
    """Sends photos to the endpoint, and starts the check of the day on which they were captured."""

    def __init__(self, kept: Kept) -> None:
        self.client = kept.client
        (endpoint,) = kept.client("sagemaker").list_endpoints()["Endpoints"]
        self.endpoint = endpoint["EndpointName"]
        (self.bucket,) = [
            each["Name"] for each in kept.client("s3").list_buckets()["Buckets"] if "storage" in each["Name"]
        ]
        self.prefix = f"capture/{self.endpoint}/AllTraffic/"

    def records(self) -> list[str]:
        """The keys of what was captured."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def captured(self) -> int:
        """How many calls were captured."""
        s3 = self.client("s3")
        bodies = [s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in self.records()]
        return sum(body.count(b"\n") for body in bodies)

    def forget(self) -> None:
        """Delete what was captured, as its expiry does."""
        for key in self.records():
            self.client("s3").delete_object(Bucket=self.bucket, Key=key)

    def send(self, photos: list[bytes]) -> None:
        before, runtime = self.captured(), self.client("sagemaker-runtime")
        for photo in photos:
            runtime.invoke_endpoint(EndpointName=self.endpoint, Body=photo, ContentType="image/jpeg")
        assert wait_until(lambda: self.captured() >= before + len(photos))

    def start(self, **event: str) -> dict[str, Any]:
        """The function's answer."""
        functions = self.client("lambda").get_paginator("list_functions").paginate().search("Functions[].FunctionName")
        (name,) = [each for each in functions if "serving-DriftFunction" in each]
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, found
        return found

    def run(self) -> dict[str, Any]:
        """The job of the day of the last captured call, at its end."""
        day = "-".join(self.records()[-1].removeprefix(self.prefix).split("/")[:3])
        started = self.start(day=day)
        sagemaker = self.client("sagemaker")

        def described() -> dict[str, Any]:
            return dict(sagemaker.describe_processing_job(ProcessingJobName=started["job"]))

        assert wait_until(lambda: described()["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped"))
        return described()

    def report(self, job: dict[str, Any]) -> dict[str, Any]:
        (output,) = job["ProcessingOutputConfig"]["Outputs"]
        key = output["S3Output"]["S3Uri"].removeprefix(f"s3://{self.bucket}/")
        body = self.client("s3").get_object(Bucket=self.bucket, Key=f"{key}/drift.json")["Body"]
        found: dict[str, Any] = json.loads(body.read())
        return found

    def drift(self) -> list[float]:
        """The values of the metric."""
        now = datetime.now(UTC)
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace="Kennel",
            MetricName="Drift",
            Dimensions=[{"Name": "Endpoint", "Value": self.endpoint}],
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(hours=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return [point["Maximum"] for point in points]

    def alarm(self) -> str:
        """The state of the alarm."""
        alarms = self.client("cloudwatch").describe_alarms()["MetricAlarms"]
        (state,) = [alarm["StateValue"] for alarm in alarms if "AlarmsDrifted" in alarm["AlarmName"]]
        return str(state)


def test_ordinary_photos_are_no_alarm_and_dark_ones_are(kennel: Kept) -> None:
    checked = Checked(kennel)
    nothing = checked.start(day="2026-01-01")
    assert (nothing["job"], nothing["why"][-21:]) == (None, "has no captured call.")

    checked.send(photos())
    ordinary = checked.run()
    assert ordinary["ProcessingJobStatus"] == "Completed", ordinary
    assert set(checked.drift()) == {0.0}, checked.report(ordinary)  # exact: the job writes 0 without drift
    assert wait_until(lambda: checked.alarm() == "OK")

    checked.forget()
    checked.send([darkened(photo) for photo in photos()])
    dark = checked.run()
    assert dark["ProcessingJobStatus"] == "Completed", dark
    assert max(checked.drift()) > 0, checked.report(dark)
    assert wait_until(lambda: checked.alarm() == "ALARM")

    # what each statement of the check's roles is for
    roles = deployed_roles(kennel.client("iam"), kennel.client("cloudformation"))
    found = uses([role for role in roles if "/Drift" in role.path], read_calls(kennel.folder))
    assert {(use.role, use.statement.name) for use in found if not use.by} == NOT_EXERCISED
    denied = [call for call in read_calls(kennel.folder) if call.denied and "Drift" in call.role]
    assert denied == []
