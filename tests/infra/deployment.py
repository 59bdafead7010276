"""A stack with one training job, on moto's S3 and a fake SageMaker."""

import contextlib
import io
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from urllib3 import HTTPResponse

from stacks.training.handler.events import is_complete, on_event
from stacks.training.handler.jobs import Jobs
from stacks.training.handler.photos import data_digest
from stacks.training.handler.request import Location
from tests.infra.events import BUCKET, Json, properties
from tests.infra.fake_sagemaker import FakeSageMaker


@dataclass
class Deployment:
    """Calls the handler as CDK's provider framework does, for one training job."""

    sagemaker: FakeSageMaker
    s3: Any
    slept: list[float] = field(default_factory=list)
    physical_id: str = ""

    @property
    def jobs(self) -> Jobs:
        clock = lambda: self.sagemaker.time  # noqa: E731
        return Jobs(
            sagemaker=self.sagemaker,
            s3=self.s3,
            ec2=lambda: boto3.client("ec2", region_name="eu-west-1"),
            region="eu-west-1",
            sleep=self.slept.append,
            now=clock,
        )

    def send(self, request: str, **event: Any) -> Json:
        event = {"RequestType": request, "ResourceProperties": properties(), **event}
        if self.physical_id:
            event.setdefault("PhysicalResourceId", self.physical_id)
        answer = on_event(event, None, self.jobs)
        return {**event, **answer}

    def create(self, **changes: Any) -> Json:
        event = self.send("Create", ResourceProperties=properties(**changes))
        self.physical_id = event["PhysicalResourceId"]
        return event

    def poll(self, event: Json) -> Json:
        return is_complete(event, None, self.jobs)

    def upload(self, *keys: str, body: bytes = b"photo") -> None:
        for key in keys:
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def refuse_next_listing(self, message: str) -> None:
        """S3 answers the next ListObjectsV2 with AccessDenied and this message."""
        event = "before-send.s3.ListObjectsV2"

        def refuse(request: Any, **_: Any) -> AWSResponse:
            self.s3.meta.events.unregister(event, refuse)
            body = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>".encode()
            return AWSResponse(request.url, 403, HTTPHeaders(), HTTPResponse(io.BytesIO(body), preload_content=False))

        self.s3.meta.events.register_first(event, refuse)

    def delete_bucket(self) -> None:
        with contextlib.suppress(self.s3.exceptions.NoSuchBucket):
            for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
                self.s3.delete_object(Bucket=BUCKET, Key=item["Key"])
            self.s3.delete_bucket(Bucket=BUCKET)


def name_for(deployment: Deployment, **changes: Any) -> str:
    """The name of the job that a create with these properties starts."""
    return str(deployment.create(**changes)["PhysicalResourceId"])


def listing(deployment: Deployment) -> str:
    """The digest of the photos in the bucket."""
    return data_digest(deployment.s3, Location(bucket=BUCKET, prefix="data/"))
