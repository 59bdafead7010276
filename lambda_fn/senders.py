"""Which AWS service sent an event that has no photo: the refusal names it."""

from collections.abc import Mapping
from typing import Any

_NAMES = {
    "aws:s3": "an S3 notification",
    "aws:sqs": "a batch of SQS messages",
    "aws:sns": "an SNS notification",
    "aws:kinesis": "a batch of Kinesis records",
    "aws:dynamodb": "a batch of DynamoDB records",
}
"""The source in the first of an event's `Records`, which SNS writes with a capital letter."""


def sender(event: Mapping[str, Any]) -> str | None:
    """What the event is, if it is one that AWS sends by itself: `an S3 notification`. None for any other event."""
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else None
    if isinstance(first, dict):
        source = first.get("eventSource", first.get("EventSource"))
        return _NAMES.get(source, "a batch of records") if isinstance(source, str) else "a batch of records"
    if "detail-type" in event and "detail" in event:
        return "an event of EventBridge"
    context = event.get("requestContext")
    if isinstance(context, dict) and "connectionId" in context:
        return "an event of a WebSocket API"
    return None
