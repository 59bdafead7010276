"""The events of SageMaker's resources, as EventBridge gets them.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

import logging
import re
from datetime import datetime
from typing import Any

from rehearsal.cloud.api import Engine, Json

logger = logging.getLogger(__name__)

SOURCE = "aws.sagemaker"
ENDPOINT_STATE = "SageMaker Endpoint State Change"
ENDPOINT_DEPLOYMENT = "SageMaker Endpoint Deployment State Change"
MODEL_PACKAGE_STATE = "SageMaker Model Package State Change"
PROCESSING_JOB_STATE = "SageMaker Processing Job State Change"
TRAINING_JOB_STATE = "SageMaker Training Job State Change"


def announce(engine: Engine, kind: str, arn: str, detail: Json) -> None:
    """Send an event of a resource. A failure is logged: what receives an event is no part of the resource."""
    try:
        engine.put_event(SOURCE, kind, _in_milliseconds(detail), [arn])
    except Exception:
        logger.exception("no event of %s", arn)


def of_endpoint(description: Json) -> Json:
    """An event's detail, of DescribeEndpoint's response."""
    status = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", description["EndpointStatus"]).upper()  # RollingBack: ROLLING_BACK
    return {**description, "EndpointStatus": status, "Tags": {}}


def _in_milliseconds(value: Any) -> Any:
    """The times in an event are numbers of milliseconds."""
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {name: _in_milliseconds(each) for name, each in value.items()}
    return [_in_milliseconds(each) for each in value] if isinstance(value, list) else value
