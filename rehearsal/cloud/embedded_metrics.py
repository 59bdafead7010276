"""CloudWatch's embedded metric format: metrics in a line of a log, which CloudWatch extracts when the line arrives.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from contract.text import printable
from rehearsal.cloud.api import Engine, Json

MOST_METRICS = 100
"""Of a directive, and values of a metric."""
MOST_DIMENSIONS = 30
"""Of a set."""
LONGEST_NAME = 1024
MOST_DATA = 1000
"""Of PutMetricData at once."""


class EmbeddedMetricsError(ValueError):
    """A line that is meant to have metrics, and from which CloudWatch would extract none."""


def extract(engine: Engine, log_group: str, lines: Iterable[str]) -> None:
    """Write the metrics in these lines, which have arrived in the log. A line in a wrong form is reported on stdout."""
    found: dict[str, list[Json]] = defaultdict(list)
    for line in lines:
        try:
            for namespace, datum in embedded_metrics(line):
                found[namespace].append(datum)
        except EmbeddedMetricsError as error:
            print(f"CloudWatch would extract no metric from a line of {log_group}: {printable(error)}.", flush=True)
    for namespace, data in found.items():
        for first in range(0, len(data), MOST_DATA):
            engine.put_metrics(namespace, data[first : first + MOST_DATA])


def embedded_metrics(line: str) -> Iterator[tuple[str, Json]]:
    """Namespace and metric, as in PutMetricData, of each metric in a line. Raises EmbeddedMetricsError.

    A line without `_aws` is any other line, and has none.
    """
    root = _parsed(line)
    if root is None:
        return
    about = root["_aws"]
    at = about.get("Timestamp") if isinstance(about, dict) else None
    directives = about.get("CloudWatchMetrics") if isinstance(about, dict) else None
    if not isinstance(at, int | float) or isinstance(at, bool) or not isinstance(directives, list):
        raise EmbeddedMetricsError("_aws needs a Timestamp, in milliseconds, and a list CloudWatchMetrics")
    timestamp = datetime.fromtimestamp(at / 1000, UTC)
    for directive in directives:
        namespace, sets, metrics = _directive(directive)
        for metric in metrics:
            datum = {**_datum(root, metric), "Timestamp": timestamp}
            for names in sets:
                yield namespace, {**datum, "Dimensions": [_dimension(root, name) for name in names]}


def _parsed(line: str) -> dict[str, Any] | None:
    if '"_aws"' not in line:  # most lines, which are not parsed for this
        return None
    try:
        root = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return root if isinstance(root, dict) and "_aws" in root else None


def _directive(directive: object) -> tuple[str, list[list[str]], list[Any]]:
    if not isinstance(directive, dict):
        raise EmbeddedMetricsError("a member of CloudWatchMetrics is no object")
    namespace, sets, metrics = (directive.get(name) for name in ("Namespace", "Dimensions", "Metrics"))
    if not isinstance(namespace, str) or not 0 < len(namespace) <= LONGEST_NAME:
        raise EmbeddedMetricsError(f"Namespace is {namespace!r}; it must be text of 1 to {LONGEST_NAME} characters")
    if not isinstance(sets, list) or not all(_is_set(each) for each in sets):
        raise EmbeddedMetricsError(f"Dimensions must be a list of lists of at most {MOST_DIMENSIONS} names")
    if not isinstance(metrics, list) or len(metrics) > MOST_METRICS:
        raise EmbeddedMetricsError(f"Metrics must be a list of at most {MOST_METRICS} objects")
    return namespace, sets or [[]], metrics


def _is_set(names: object) -> bool:
    return isinstance(names, list) and len(names) <= MOST_DIMENSIONS and all(isinstance(name, str) for name in names)


def _datum(root: dict[str, Any], metric: object) -> Json:
    name = metric.get("Name") if isinstance(metric, dict) else None
    if not isinstance(metric, dict) or not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise EmbeddedMetricsError(f"a metric needs a Name of 1 to {LONGEST_NAME} characters, but is {metric!r}")
    value = root.get(name)
    values = value if isinstance(value, list) else [value]
    if not 0 < len(values) <= MOST_METRICS or not all(_is_number(each) for each in values):
        raise EmbeddedMetricsError(f"the member {name} must be a number or up to {MOST_METRICS} numbers")
    resolution = {"StorageResolution": metric["StorageResolution"]} if "StorageResolution" in metric else {}
    return {
        "MetricName": name,
        "Unit": metric.get("Unit", "None"),
        "Values": values,
        "Counts": [1] * len(values),
        **resolution,
    }


def _dimension(root: dict[str, Any], name: str) -> Json:
    value = root.get(name)
    if not isinstance(value, str) or not value:
        raise EmbeddedMetricsError(f"the member {name}, a dimension, must be text")
    return {"Name": name, "Value": value}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
