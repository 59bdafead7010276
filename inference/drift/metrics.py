"""The figures as one line that CloudWatch makes metrics of, wherever it is logged: the embedded metric format.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json

from inference.drift.comparison import Comparison


def line(comparison: Comparison, *, namespace: str, dimension: tuple[str, str], time_ms: int) -> str:
    """`Drift` is the largest excess of a figure over what chance allows, so 0 is no drift. `DriftOf...` are the
    distances themselves. `Photos` is how many photos were compared.

    time_ms: since 1970.
    """
    values = {
        "Drift": round(comparison.drift, 4),
        **{f"DriftOf{figure.name.title()}": round(figure.distance, 4) for figure in comparison.figures},
        "Photos": comparison.photos,
    }
    name, value = dimension
    definitions = [{"Name": each, "Unit": "Count" if each == "Photos" else "None"} for each in values]
    metrics = [{"Namespace": namespace, "Dimensions": [[name]], "Metrics": definitions}]
    return json.dumps({"_aws": {"Timestamp": time_ms, "CloudWatchMetrics": metrics}, name: value, **values})
