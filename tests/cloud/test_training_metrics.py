"""The metrics that a training job declares, read out of its log."""

from typing import Any

import pytest

from rehearsal.cloud.api import Credentials, Json
from rehearsal.cloud.sagemaker.training_logs import Metrics, TrainingLogs
from rehearsal.cloud.sagemaker.training_record import TrainingRecord
from tests.cloud.fake_engine import FakeEngine

MOST_IN_A_CALL = 1000
"""Of PutMetricData: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("epoch=1 loss=0.25 accuracy=0.9", [("loss", 0.25), ("accuracy", 0.9)]),
        ("loss=1e-3", [("loss", 0.001)]),
        ("loss=1 loss=2", [("loss", 1.0), ("loss", 2.0)]),
        ("loss=nothing", []),
        ("found nothing", []),
    ],
)
def test_a_metric_is_the_first_group_of_its_expression(line: str, values: list[tuple[str, float]]) -> None:
    definitions = [
        {"Name": "loss", "Regex": r"\bloss=(\S+)"},
        {"Name": "accuracy", "Regex": r"accuracy=([0-9.]+)"},
        {"Name": "without a group", "Regex": "found"},
    ]

    assert Metrics(definitions).read(line) == values


class Engine(FakeEngine):
    """CloudWatch counts the values of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[int] = []

    def client(self, service: str, _: Credentials) -> Any:
        assert service in ("cloudwatch", "logs")
        return self

    def put_metric_data(self, *, Namespace: str, MetricData: list[Json]) -> None:  # noqa: N803
        assert Namespace == "/aws/sagemaker/TrainingJobs"
        self.sent.append(len(MetricData))

    def describe_log_streams(self, **_: str) -> Json:
        return {"logStreams": [{}]}

    def put_log_events(self, **_: Any) -> None:
        pass


def test_many_values_are_sent_in_several_calls() -> None:
    algorithm = {"MetricDefinitions": [{"Name": "loss", "Regex": r"loss=(\S+)"}]}
    engine, record = Engine(), TrainingRecord({"TrainingJobName": "dogs", "AlgorithmSpecification": algorithm}, "arn")
    with TrainingLogs(engine, Credentials("", "", ""), record, ["algo-1"]) as logs:
        logs.line("algo-1", " ".join(f"loss={number}" for number in range(2500)))

    assert sum(engine.sent) == 2500
    assert max(engine.sent) <= MOST_IN_A_CALL
