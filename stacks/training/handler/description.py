"""Reads the response of DescribeTrainingJob."""

from contract.training_metrics import METRIC_NAMES

from .aws_errors import says_no_capacity
from .request import Json


def metrics(found: Json) -> dict[str, float]:
    """The last value of each metric, by its name."""
    return {metric["MetricName"]: metric["Value"] for metric in found.get("FinalMetricDataList", [])}


def accuracy(found: Json) -> float | None:
    """On the test photos, of the served model, which may be int8; without it, of the trained network."""
    measured = metrics(found)
    return measured.get(METRIC_NAMES["served_test_accuracy"], measured.get(METRIC_NAMES["test_accuracy"]))


def test_accuracy(found: Json) -> str:
    """The accuracy as the stack's output shows it."""
    value = accuracy(found)
    return "not measured" if value is None else f"{value:.4f}"


def lacked_capacity(found: Json) -> bool:
    """Whether the job failed because AWS had no instances of its type."""
    return found["TrainingJobStatus"] == "Failed" and says_no_capacity(found.get("FailureReason", ""))


def failure_reason(found: Json) -> str:
    """Why a job failed or was stopped, with the setting to change for a time limit."""
    limits = {
        "MaxRuntimeExceeded": "it reached its time limit (raise training.max_runtime_min, "
        "or train outside the deploy and set training.model_data to that artifact)",
        "MaxWaitTimeExceeded": "no spot instances became available in time (raise training.spot_max_wait_min, "
        "or turn training.spot off)",
    }
    secondary = found.get("SecondaryStatus", "")
    unexplained = f"SageMaker gave no reason. Its last status was {secondary}"
    return limits.get(secondary) or found.get("FailureReason") or unexplained
