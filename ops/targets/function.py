"""Ask the deployed Lambda function for the breeds in a photo, through its alias."""

import base64
import json
from typing import Any

from botocore.exceptions import ClientError

from inference.prediction import Prediction
from ops.targets.aws import MAX_REQUEST_BYTES, client, deployed, explained
from ops.targets.reply import Ask, RefusedError, Reply, TargetError, predictions_of, shortened

ALIAS = "live"
"""The alias of the Api stack, which alone has provisioned concurrency. A name or an ARN without an alias means it."""
MAX_PHOTO_BYTES = (MAX_REQUEST_BYTES - 64) // 4 * 3
"""Of a photo that fits into an event as base64, with the names of its fields."""


def function(name: str, *, environment: str, top_k: int) -> Ask:
    """Ask the function with this name or ARN; empty for the output FunctionArn of the environment's Api stack.

    Raises TargetError if there is no such output, and BucketError if AWS returns an error for it.
    """
    name = name or deployed("api", "FunctionArn", environment=environment, kind="function", option="--lambda")
    words = name.split(":")
    region = words[3] if name.startswith("arn:") and len(words) > 6 else None
    lambda_ = client("lambda", environment=environment, region=region)
    named = name if _has_alias(name) else f"{name}:{ALIAS}"

    def ask(photo: bytes) -> list[Prediction]:
        if len(photo) > MAX_PHOTO_BYTES:
            raise RefusedError(
                f"The photo has {len(photo):,} bytes, and an event of Lambda contains a photo of at most "
                f"{MAX_PHOTO_BYTES:,}. Scale it down, or ask the endpoint (--endpoint) or a model on this machine "
                "(--model)."
            )
        event = json.dumps({"image": base64.b64encode(photo).decode(), "top_k": top_k}).encode()
        with explained(f"the call of the function {named}", needs=f"lambda:InvokeFunction on {named}"):
            try:
                answer = lambda_.invoke(FunctionName=named, Payload=event)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    raise TargetError(
                        f"There is no function {named} in {lambda_.meta.region_name}. Copy the name from the Api "
                        "stack's output FunctionArn, or leave it out."
                    ) from error
                raise
            return predictions_of(_reply(answer["Payload"].read(), named, failed=bool(answer.get("FunctionError"))))

    return ask


def _has_alias(name: str) -> bool:
    """Whether a name (NAME:ALIAS), a partial ARN (ACCOUNT:function:NAME:ALIAS) or an ARN has a version or an alias."""
    return ":" in name.rpartition("function:")[2]


def _reply(payload: bytes, name: str, *, failed: bool) -> Reply:
    try:
        found: Any = json.loads(payload)
    except ValueError:
        found = None
    if failed:
        message = found.get("errorMessage") if isinstance(found, dict) else None
        raise RefusedError(f"The function {name} failed ({message or shortened(payload)}); its log has the cause.")
    if not isinstance(found, dict) or not isinstance(found.get("statusCode"), int):
        raise TargetError(f"{name} is no function of Kennel: it returned {shortened(payload)[:80]}. Name another one.")
    headers = found.get("headers")
    named = {str(key).lower(): str(value) for key, value in headers.items()} if isinstance(headers, dict) else {}
    return Reply(
        status=found["statusCode"],
        body=str(found.get("body", "")).encode(errors="replace"),
        retry_after=named.get("retry-after", ""),
    )
