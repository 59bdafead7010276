"""The events of SageMaker's resources, as EventBridge gets them.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

import re
from datetime import datetime
from typing import Any

from rehearsal.cloud.api import Engine, Json

SOURCE = "aws.sagemaker"
ENDPOINT_STATE = "SageMaker Endpoint State Change"
ENDPOINT_DEPLOYMENT = "SageMaker Endpoint Deployment State Change"


def announce_endpoint(engine: Engine, kind: str, description: Json) -> None:
    """Send an event. description: DescribeEndpoint's response."""
    status = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", description["EndpointStatus"]).upper()  # RollingBack: ROLLING_BACK
    detail = in_milliseconds({**description, "EndpointStatus": status, "Tags": {}})
    engine.put_event(SOURCE, kind, detail, [description["EndpointArn"]])


def in_milliseconds(value: Any) -> Any:
    """The times in an event are numbers of milliseconds."""
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {name: in_milliseconds(each) for name, each in value.items()}
    return [in_milliseconds(each) for each in value] if isinstance(value, list) else value
