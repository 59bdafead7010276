"""The metrics that a training job declares, read out of its log."""

import pytest

from rehearsal.cloud.sagemaker.training_logs import Metrics


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
