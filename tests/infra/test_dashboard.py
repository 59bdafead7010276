"""The dashboard: its metrics, and their units and statistics."""

import json
import re

import pytest

from contract.training_metrics import METRIC_DEFINITIONS
from environments import Environment
from lambda_fn.metrics import DIMENSION, NAMESPACE, UNITS
from stacks.settings import Settings
from tests.infra.conftest import ROOT, Assembly, Synthesise
from tests.infra.monitoring import alarms, widgets


def metric_names(assembly: Assembly) -> set[str]:
    """The names of the metrics on the dashboard."""
    metrics = [metric for widget in widgets(assembly).values() for metric in widget.get("metrics", [])]
    return {metric[1] for metric in metrics if isinstance(metric[0], str)}


@pytest.mark.parametrize(
    "metric",
    [
        "ModelLatency",
        "OverheadLatency",
        "Invocation4XXErrors",
        "Invocation5XXErrors",
        "Invocations",
        "InvocationsPerInstance",
        "ConcurrentExecutions",
        "ProvisionedConcurrentExecutions",
        "ProvisionedConcurrencySpilloverInvocations",
        "Throttles",
        "Errors",
        "Duration",
    ],
)
def test_the_dashboard_shows(development: Assembly, metric: str) -> None:
    assert metric in metric_names(development)


def test_the_dashboard_shows_the_metrics_that_the_function_writes(development: Assembly) -> None:
    """By the same namespace and dimension, with statistics that fit their units."""
    graphs = [metric for widget in widgets(development).values() for metric in widget.get("metrics", [])]
    shown = [metric for metric in graphs if metric[0] == NAMESPACE]

    assert {metric[1] for metric in shown} == UNITS.keys()
    functions = [resource["Properties"] for _, _, resource in development.resources("AWS::Lambda::Function")]
    (function,) = [each["FunctionName"] for each in functions if each["Handler"] == "lambda_fn.handler.handler"]
    assert {tuple(metric[2:4]) for metric in shown} == {(DIMENSION, function)}
    for metric in shown:
        assert (metric[-1].get("stat", "Average") == "Sum") == (UNITS[metric[1]] == "Count")


def test_every_metric_is_defined_in_one_file() -> None:
    """With two definitions of a metric, the dashboard could show other values than an alarm watches."""
    defining = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "stacks").rglob("*.py")
        if re.search(r"cloudwatch\.(Metric|MathExpression)\(|\.metric_\w+\(|namespace=\"AWS/", path.read_text())
    }
    assert defining == {"stacks/common/metrics.py"}


def test_the_dashboard_shows_the_metrics_of_the_rollout_alarms(development: Assembly) -> None:
    """With the same namespace, name, dimensions and statistic, so that the graph shows what the alarm sees."""
    graphs = [metric for widget in widgets(development).values() for metric in widget.get("metrics", [])]
    drawn = {(*metric[:-1], metric[-1].get("stat", "Average")) for metric in graphs if isinstance(metric[0], str)}
    for name, statistic in (("Invocation5XXErrors", "Sum"), ("ModelLatency", "p95")):
        (watched,) = [found for _, _, found in alarms(development) if found["MetricName"] == name]
        dimensions = [text for pair in watched["Dimensions"] for text in (pair["Name"], pair["Value"])]
        watched_statistic = watched.get("Statistic") or watched["ExtendedStatistic"]
        assert watched_statistic == statistic
        assert (watched["Namespace"], name, *dimensions, statistic) in drawn


@pytest.mark.parametrize("metric", METRIC_DEFINITIONS)
def test_the_dashboard_shows_each_metric_that_the_job_defines(development: Assembly, metric: str) -> None:
    searches = json.dumps(widgets(development))
    assert f'MetricName=\\\\\\"{metric}\\\\\\" kennel development' in json.dumps(searches)


def test_the_dashboard_searches_only_the_jobs_of_this_deployment(synthesise: Synthesise) -> None:
    other = synthesise(environment=Environment(name="qa", project="shelter"))
    assert " shelter qa'" in json.dumps(widgets(other))
    assert other.only("AWS::CloudWatch::Dashboard")["DashboardName"]["Fn::Join"][1] == [
        "shelter-qa-",
        {"Ref": "AWS::Region"},  # an account has one list of dashboards for all regions
    ]


def test_instances_are_shown_against_the_target_of_autoscaling(development: Assembly) -> None:
    (graph,) = [widget for title, widget in widgets(development).items() if "instances" in title]
    assert {"all / each"} == {metric[0].get("expression") for metric in graph["metrics"] if isinstance(metric[0], dict)}
    assert graph["annotations"]["horizontal"][0]["value"] == Settings().serving.scaling.target_invocations_per_min


def test_latency_and_its_limit_are_drawn_in_milliseconds(development: Assembly) -> None:
    (graph,) = [graph for title, graph in widgets(development).items() if "latency" in title]
    expressions = [metric[0]["expression"] for metric in graph["metrics"] if "expression" in metric[0]]
    assert len(expressions) == 6
    assert all(expression.endswith(" / 1000") for expression in expressions)  # SageMaker publishes microseconds
    (limit,) = graph["annotations"]["horizontal"]
    assert limit["value"] == Settings().serving.rollout.max_latency_ms


def test_a_training_metric_is_drawn_as_it_was_logged(development: Assembly) -> None:
    """Several lines in one minute must not add up: an accuracy of 1.8 would be drawn."""
    searches = [
        metric[0]["expression"]
        for title, graph in widgets(development).items()
        for metric in graph.get("metrics", [])
        if title.startswith("Training") and isinstance(metric[0], dict)
    ]
    assert len(searches) == 20
    assert all(search.endswith(", 'Average', 60)") for search in searches)
