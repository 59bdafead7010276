"""Data capture: a part of the requests and responses, written to S3 as the model's role.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import json
import queue
import random
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.s3_files import bucket_and_key

GATHER_S = 1.0
"""How long lines are gathered for one object. SageMaker gathers them for minutes."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was answered, of one variant."""

    variant: str
    at: datetime
    request_type: str
    request: bytes
    response_type: str
    response: bytes


class Capture:
    """Captures one endpoint's exchanges as its config says."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._captured: queue.SimpleQueue[tuple[Json, Any, Exchange] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, config: Json, s3: Any, exchange: Exchange) -> None:
        """Capture it, or not: by the sampling percentage. config: a DataCaptureConfig. s3: a function for a client."""
        if random.uniform(0, 100) >= float(config.get("InitialSamplingPercentage", 0)):
            return
        with self._lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name=f"capture-{self._endpoint}", daemon=True)
                self._writer.start()
        self._captured.put((config, s3, exchange))

    def close(self) -> None:
        """Write what is left."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            self._captured.put(None)
            writer.join()

    def _write(self) -> None:
        """Write an object for each second and variant that have something."""
        ended = False
        while not ended:
            first = self._captured.get()
            if first is None:
                return
            gathered = [first]
            end = datetime.now(UTC).timestamp() + GATHER_S
            while (left := end - datetime.now(UTC).timestamp()) > 0:
                try:
                    following = self._captured.get(timeout=left)
                except queue.Empty:
                    break
                if following is None:
                    ended = True
                    break
                gathered.append(following)
            for variant in {exchange.variant for _, _, exchange in gathered}:
                self._put([each for each in gathered if each[2].variant == variant])

    def _put(self, gathered: list[tuple[Json, Any, Exchange]]) -> None:
        config, s3, first = gathered[0]
        bucket, prefix = bucket_and_key(str(config["DestinationS3Uri"]))
        time = first.at.strftime("%Y/%m/%d/%H/%M-%S-") + f"{first.at.microsecond // 1000:03}"
        key = "/".join(
            each for each in (prefix.strip("/"), self._endpoint, first.variant, f"{time}-{uuid.uuid4()}.jsonl") if each
        )
        body = "".join(json.dumps(line(config, exchange)) + "\n" for _, _, exchange in gathered).encode()
        encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": config["KmsKeyId"]} if config.get("KmsKeyId") else {}
        )
        try:
            s3().put_object(Bucket=bucket, Key=key, Body=body, **encryption)
        except (ClientError, BotoCoreError, HostingError):
            return  # as on AWS, the endpoint answers whether or not its role may write


def line(config: Json, exchange: Exchange) -> Json:
    """What SageMaker writes of one exchange."""
    modes = {option["CaptureMode"] for option in config.get("CaptureOptions", [])}
    types = config.get("CaptureContentTypeHeader") or {}
    captured: Json = {}
    if modes & {"Input", "InputAndOutput"}:
        captured["endpointInput"] = _data("INPUT", exchange.request_type, exchange.request, types)
    if modes & {"Output", "InputAndOutput"}:
        captured["endpointOutput"] = _data("OUTPUT", exchange.response_type, exchange.response, types)
    return {
        "captureData": captured,
        "eventMetadata": {
            "eventId": str(uuid.uuid4()),
            "inferenceTime": exchange.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "eventVersion": "0",
    }


def _data(mode: str, content_type: str, content: bytes, types: Json) -> Json:
    kind = content_type.partition(";")[0].strip()
    if kind in types.get("JsonContentTypes", []):
        encoding, text = "JSON", content.decode(errors="replace")
    elif kind in types.get("CsvContentTypes", []):
        encoding, text = "CSV", content.decode(errors="replace")
    else:
        encoding, text = "BASE64", base64.b64encode(content).decode()
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}
