"""The reference of `make bench-lambda`: the least that a function in front of the endpoint does, in boto3."""

import base64
import json
import os
from typing import Any

import boto3

CLIENT = boto3.client("sagemaker-runtime")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """The photo of an event or of a proxy event, sent to the endpoint. It checks nothing."""
    text = event["body"] if "body" in event else event["image"]
    answer = CLIENT.invoke_endpoint(
        EndpointName=os.environ["ENDPOINT_NAME"], Body=base64.b64decode(text), ContentType="image/jpeg"
    )
    found = json.loads(answer["Body"].read())
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(found)}
