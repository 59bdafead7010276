"""What no log and no template shows: calls that left no line, failed scaling, drift check, budget, notebook."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from botocore.exceptions import ClientError

from ops.operate.account import AccountError, asking, is_missing
from ops.operate.answers import Answers
from ops.operate.deployed import NOTEBOOK, Deployed
from ops.operate.drift_checks import checked_daily, newest_check
from ops.operate.log_lines import LogGroup
from ops.operate.log_sources import drift_log, function_log

WINDOW_S = 3600
"""The last hour, as that of the errors in the logs."""
LOG_DELAY_S = 60
"""CloudWatch Logs shows a line some seconds after its call was counted."""
BUDGET = "AWS::Budgets::Budget"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """Something that failed, as a metric or another service says it."""

    kind: str
    """Of `of` in runbook.toml: throttles, silent, scaling, drift check, budget or notebook."""
    at: datetime
    what: str
    """One sentence."""
    details: tuple[str, ...] = ()
    log: LogGroup | None = None
    """What the failed job has logged. Its name is the word after `kennel logs`."""
    urgent: bool = True
    """Whether callers can get errors because of it."""


def signals(deployed: Deployed, answers: Answers) -> list[Signal]:
    """Each of them. What AWS refuses to say is noted in `answers`."""
    looks = (_function, _scaling, _drift_check, _budget, _notebook)
    found: list[Signal] = []
    for look in looks:
        found += answers.of(partial(_all, look, deployed), [])
    return found


def _all(look: Callable[[Deployed], Iterator[Signal]], deployed: Deployed) -> list[Signal]:
    return list(look(deployed))


# -- the function's metrics beside its log


def _function(deployed: Deployed) -> Iterator[Signal]:
    """Calls that Lambda throttled, and calls of which the log has no line."""
    if "api" not in deployed.stacks:
        return
    name, until = deployed.account.environment.function_name, datetime.now(UTC)
    calls, failed, throttled = _minutes(deployed, name, ("Invocations", "Errors", "Throttles"), until)
    if throttled:
        yield Signal(
            kind="throttles",
            at=max(throttled),
            what=f"Lambda has throttled {sum(throttled.values()):.0f} calls of the function {name} in the last hour. "
            "Its log has no line about them.",
        )
    shown = until - timedelta(seconds=LOG_DELAY_S)
    last = max((minute for minute in calls if minute + timedelta(minutes=1) <= shown), default=None)
    log = function_log(deployed.account) if last else None
    if last and log and not any(True for _ in log.lines(last.timestamp(), most_pages=1)):
        yield Signal(
            kind="silent",
            at=last,
            what=f"The last call of the function {name}, at {last:%H:%M} UTC, left no line in its log {log.group}: the "
            "function cannot write its log.",
            details=(
                f"Lambda counts {sum(calls.values()):.0f} calls in the last hour; {sum(failed.values()):.0f} failed.",
            ),
        )


def _minutes(deployed: Deployed, name: str, metrics: Sequence[str], until: datetime) -> list[Mapping[datetime, float]]:
    """Of each metric, the minutes of the last hour whose sum is not 0."""
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "FunctionName", "Value": name}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for number, metric in enumerate(metrics)
    ]
    with asking("the call that reads the function's metrics", needs="cloudwatch:GetMetricData"):
        found = deployed.account.client("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=until - timedelta(seconds=WINDOW_S), EndTime=until
        )["MetricDataResults"]
    sums = {
        each["Id"]: {at: value for at, value in zip(each["Timestamps"], each["Values"], strict=True) if value}
        for each in found
    }
    return [sums.get(f"m{number}", {}) for number in range(len(metrics))]


# -- autoscaling


def _scaling(deployed: Deployed) -> Iterator[Signal]:
    """The last scaling of the fleet, if it failed: mostly a quota, or no capacity."""
    if "serving" not in deployed.stacks:
        return
    with asking(
        "the call that reads the scaling activities", needs="application-autoscaling:DescribeScalingActivities"
    ):
        found = deployed.account.client("application-autoscaling").describe_scaling_activities(
            ServiceNamespace="sagemaker"
        )["ScalingActivities"]
    own = [each for each in found if each["ResourceId"].startswith(f"endpoint/{deployed.endpoint_name}/")]
    newest = max(own, key=lambda each: each["StartTime"], default=None)
    if newest and newest["StatusCode"] == "Failed":
        yield Signal(
            kind="scaling",
            at=newest["StartTime"],
            what=f"The last scaling of the endpoint {deployed.endpoint_name} failed, so its number of instances did "
            "not change.",
            details=(f"Application Auto Scaling says: {' '.join(newest.get('StatusMessage', '').split())}",),
        )


# -- the daily drift check


def _drift_check(deployed: Deployed) -> Iterator[Signal]:
    """The newest check, if it failed or was stopped."""
    account = deployed.account
    check = newest_check(account) if checked_daily(deployed) else None
    if check is None or not check.failed:
        return
    with asking(f"the call that describes the drift check {check.name}", needs="sagemaker:DescribeProcessingJob"):
        found = account.client("sagemaker").describe_processing_job(ProcessingJobName=check.name)
    said = {"The check says": found.get("ExitMessage"), "SageMaker's reason": found.get("FailureReason")}
    yield Signal(
        kind="drift check",
        at=found.get("ProcessingEndTime") or check.created,
        what=f"The drift check {check.name} is {check.status}.",
        details=tuple(f"{who}: {' '.join(text.split())}" for who, text in said.items() if text),
        log=drift_log(account, check.name),
        urgent=False,
    )


# -- the budget and the notebook


def _budget(deployed: Deployed) -> Iterator[Signal]:
    """A budget that is spent, or that the forecast exceeds."""
    for each in deployed.resources("budget", BUDGET):
        with asking("the call that describes the budget", needs="budgets:ViewBudget"):
            try:
                found = deployed.account.client("budgets").describe_budget(
                    AccountId=deployed.account.number, BudgetName=each.name
                )["Budget"]
            except ClientError as error:
                if error.response["Error"]["Code"] == "NotFoundException" or is_missing(error):
                    continue
                raise
        limit, spend = float(found["BudgetLimit"]["Amount"]), found.get("CalculatedSpend", {})
        actual = float(spend.get("ActualSpend", {}).get("Amount", 0))
        forecast = float(spend.get("ForecastedSpend", {}).get("Amount", 0))
        if forecast > limit or actual > 0.8 * limit:
            yield Signal(
                kind="budget",
                at=found.get("LastUpdatedTime") or datetime.now(UTC),
                what=f"The budget {each.name} of {limit:.0f} USD a month: {actual:.2f} USD are spent, and AWS "
                f"forecasts {forecast:.2f}.",
                urgent=False,
            )


def _notebook(deployed: Deployed) -> Iterator[Signal]:
    """A notebook instance that could not start."""
    for each in deployed.resources("workbench", NOTEBOOK):
        try:
            with asking("the call that describes the notebook instance", needs="sagemaker:DescribeNotebookInstance"):
                found = deployed.account.client("sagemaker").describe_notebook_instance(NotebookInstanceName=each.name)
        except AccountError:
            continue  # `kennel status` says so beside the costs; nothing that serves depends on it
        if found["NotebookInstanceStatus"] == "Failed":
            yield Signal(
                kind="notebook",
                at=found["LastModifiedTime"],
                what=f"The notebook instance {each.name} is Failed.",
                details=(f"SageMaker's reason: {' '.join(found.get('FailureReason', 'none').split())}",),
                urgent=False,
            )
