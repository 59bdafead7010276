"""Metrics of each request in CloudWatch's embedded metric format: a line of the log that CloudWatch reads, and no call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

CloudWatch bills each metric for each set of dimension values. The only dimension is the function's name, so that a
deployed function has at most the seven metrics of UNITS. stacks/common/metrics.py has the same names for the
dashboard; a test compares them.
"""

import os
import time
from collections.abc import Mapping

NAMESPACE = "Kennel"
DIMENSION = "FunctionName"
FUNCTION_NAME = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
"""Empty outside of Lambda, where there is nothing to measure for."""

UNITS = {
    "FetchTime": "Milliseconds",
    "EndpointTime": "Milliseconds",
    "OwnTime": "Milliseconds",
    "TopProbability": "None",
    "Answered": "Count",
    "Refused": "Count",
    "Failed": "Count",
}
"""Metric to its unit.

FetchTime: until a photo that is not in the event was here. EndpointTime: until the endpoint had answered. Both with
the retry and the wait before it. OwnTime: the rest of the request. TopProbability: of the likeliest breed, 0 to 1. The
last three count outcomes: 2xx, 4xx and 5xx.
"""


def outcome(status: int) -> str:
    """The metric that counts a response with this status."""
    return "Answered" if status < 400 else "Refused" if status < 500 else "Failed"


def embedded(values: Mapping[str, float]) -> dict[str, object]:
    """The members that make a JSON line of the log carry these metrics. Empty outside of Lambda."""
    if not FUNCTION_NAME:
        return {}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [[DIMENSION]],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
    }
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": about, DIMENSION: FUNCTION_NAME, **values}
