"""The monitoring stack: dashboard, alarms, event notifications, alert topic and budget."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from contract.training_metrics import METRIC_DEFINITIONS
from environments import Environment
from stacks.settings import Settings
from tests.infra.conftest import ROOT, Assembly, Synthesise
from tests.infra.templates import joined


def widgets(assembly: Assembly) -> dict[str, dict[str, Any]]:
    body = json.loads(joined(assembly.only("AWS::CloudWatch::Dashboard")["DashboardBody"]))
    return {widget["properties"]["title"]: widget["properties"] for widget in body["widgets"]}


def shown(assembly: Assembly) -> set[str]:
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
    assert metric in shown(development)


def test_every_metric_is_defined_in_one_file() -> None:
    """Two definitions of one metric drift apart: the dashboard would show what no alarm watches."""
    defining = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "stacks").rglob("*.py")
        if re.search(r"cloudwatch\.(Metric|MathExpression)\(|\.metric_\w+\(|namespace=\"AWS/", path.read_text())
    }
    assert defining == {"stacks/common/metrics.py"}


def test_what_rolls_an_update_back_is_on_the_dashboard_as_it_is_watched(development: Assembly) -> None:
    """Namespace, name, dimensions and statistic: who reads the graph must see what the alarm saw."""
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


def alarms(assembly: Assembly) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for stack, logical_id, alarm in assembly.resources("AWS::CloudWatch::Alarm"):
        yield stack, logical_id, alarm["Properties"]


def test_the_alarms_of_this_stack_notify_the_topic(development: Assembly) -> None:
    ((_, topic, _),) = development.resources("AWS::SNS::Topic")
    found = [alarm for stack, _, alarm in alarms(development) if stack == "Monitoring"]
    assert len(found) == 7
    for alarm in found:
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert alarm["TreatMissingData"] == "notBreaching"


def alarm(assembly: Assembly, name: str) -> dict[str, Any]:
    """The alarm of the monitoring stack with this construct id."""
    (found,) = [
        properties
        for stack, logical_id, properties in alarms(assembly)
        if stack == "Monitoring" and logical_id.removeprefix("Alarms")[:-8] == name
    ]
    return found


def test_a_fleet_is_too_small_only_after_autoscaling_had_time_to_enlarge_it(development: Assembly) -> None:
    """Target tracking needs three minutes above its target; a new instance may take both of its start-up limits."""
    serving = Settings().serving
    found = alarm(development, "FleetTooSmall")
    grown_s = 3 * 60 + serving.download_timeout_s + serving.startup_timeout_s
    assert found["EvaluationPeriods"] * found["Period"] >= grown_s
    assert found["Threshold"] == 2 * serving.scaling.target_invocations_per_min


def test_the_alarms_of_other_stacks_match_an_event_rule_by_name(development: Assembly) -> None:
    """Generated alarm names start with the stack's name; an alarm with an explicit name would not match."""
    rule = rules(development)["AlarmOfAnotherStack"]
    prefixes = [entry["prefix"] for entry in rule["EventPattern"]["detail"]["alarmName"]]
    for stack, logical_id, alarm in alarms(development):
        if stack != "Monitoring":
            assert "AlarmName" not in alarm, logical_id
            assert f"kennel-{stack.lower()}-" in prefixes, logical_id


def rules(assembly: Assembly) -> dict[str, dict[str, Any]]:
    return {
        logical_id.removeprefix("Notices")[:-8]: rule["Properties"]
        for stack, logical_id, rule in assembly.resources("AWS::Events::Rule")
        if stack == "Monitoring"
    }


def test_failed_trainings_and_rollbacks_notify_the_topic(development: Assembly) -> None:
    found = rules(development)
    assert found["TrainingFailed"]["EventPattern"]["detail"] == {
        "TrainingJobName": [{"prefix": "kennel-development-"}],
        "TrainingJobStatus": ["Failed", "Stopped"],
    }
    rolled_back = found["RolledBack"]["EventPattern"]["detail"]
    assert rolled_back["EndpointName"] == [Settings().serving.endpoint_name]
    assert "ROLLING_BACK" in rolled_back["EndpointStatus"]


def test_each_notification_is_one_json_string(development: Assembly) -> None:
    for rule in rules(development).values():
        (target,) = rule["Targets"]
        transformer = target["InputTransformer"]
        text = json.loads(transformer["InputTemplate"])
        assert set(re.findall("<([a-z]+)>", text)) == set(transformer["InputPathsMap"])


def test_undelivered_notifications_go_to_the_dead_letter_queue(development: Assembly, synthesise: Synthesise) -> None:
    """That of the storage stack, for the event rules and for the e-mail subscription."""
    assert development.only("AWS::SQS::Queue")["SqsManagedSseEnabled"] is True
    for rule in rules(development).values():
        assert "DeadLetters" in str(rule["Targets"][0]["DeadLetterConfig"]["Arn"]["Fn::GetStackOutput"])
    mail = synthesise(("monitoring.email", "team@example.org")).only("AWS::SNS::Subscription")
    assert "DeadLetters" in str(mail["RedrivePolicy"])
    senders = [
        statement["Principal"]["Service"]
        for statement in development.only("AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert sorted(senders) == ["events.amazonaws.com", "sns.amazonaws.com"]


def statements(assembly: Assembly, type: str, document: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = assembly.only(type)[document]["Statement"]
    return found


def test_plain_http_is_denied_by_the_topic(development: Assembly) -> None:
    denied = [
        statement
        for statement in statements(development, "AWS::SNS::TopicPolicy", "PolicyDocument")
        if statement["Effect"] == "Deny"
    ]
    assert [statement["Condition"] for statement in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


@pytest.mark.parametrize("service", ["cloudwatch.amazonaws.com", "budgets.amazonaws.com", "events.amazonaws.com"])
def test_each_service_may_publish_only_for_this_account_and_use_the_key(development: Assembly, service: str) -> None:
    """It needs both the topic's policy and the key's; without one of them alerts are lost without an error."""
    (publish,) = [
        statement
        for statement in statements(development, "AWS::SNS::TopicPolicy", "PolicyDocument")
        if statement["Principal"] == {"Service": service}
    ]
    assert publish["Action"] == "sns:Publish"
    if service == "events.amazonaws.com":
        assert "Condition" not in publish  # EventBridge sends nothing that a condition could check
    else:
        assert publish["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert "<AWS::AccountId>" in joined(publish["Condition"]["ArnLike"]["aws:SourceArn"])
    (use,) = [
        statement
        for statement in statements(development, "AWS::KMS::Key", "KeyPolicy")
        if statement["Principal"] == {"Service": service}
    ]
    assert use["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert ("Condition" in use) == (service != "events.amazonaws.com")


def test_only_services_may_publish(development: Assembly) -> None:
    allowed = [
        statement["Principal"]
        for statement in statements(development, "AWS::SNS::TopicPolicy", "PolicyDocument")
        if statement["Effect"] == "Allow"
    ]
    assert all(list(principal) == ["Service"] for principal in allowed)


def test_the_topic_is_encrypted_with_a_key_that_rotates(development: Assembly) -> None:
    ((_, key, _),) = development.resources("AWS::KMS::Key")
    assert development.only("AWS::SNS::Topic")["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    assert development.only("AWS::KMS::Key")["EnableKeyRotation"] is True


def test_there_is_no_subscription_without_an_email_address(development: Assembly, synthesise: Synthesise) -> None:
    assert list(development.resources("AWS::SNS::Subscription")) == []
    mailed = synthesise(("monitoring.email", "ops@example.com"))
    subscription = mailed.only("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


def test_the_budget_notifies_on_forecast_and_on_actual_cost(development: Assembly) -> None:
    budget = development.only("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 100, "Unit": "USD"}
    assert budget["Budget"]["TimeUnit"] == "MONTHLY"
    assert "BudgetName" not in budget["Budget"]
    notifications = [
        (entry["Notification"]["NotificationType"], entry["Notification"]["Threshold"], entry["Subscribers"][0])
        for entry in budget["NotificationsWithSubscribers"]
    ]
    ((_, topic, _),) = development.resources("AWS::SNS::Topic")
    subscriber = {"SubscriptionType": "SNS", "Address": {"Ref": topic}}
    assert notifications == [("FORECASTED", 100, subscriber), ("ACTUAL", 80, subscriber)]


def test_the_budget_is_created_after_the_topics_policy(development: Assembly) -> None:
    ((_, _, budget),) = development.resources("AWS::Budgets::Budget")
    ((_, policy, _),) = development.resources("AWS::SNS::TopicPolicy")
    assert policy in budget["DependsOn"]


def test_the_budget_can_be_changed_and_left_out(synthesise: Synthesise) -> None:
    assert (
        synthesise(("monitoring.monthly_budget_usd", 30)).only("AWS::Budgets::Budget")["Budget"]["BudgetLimit"][
            "Amount"
        ]
        == 30
    )
    assert list(synthesise(("monitoring.monthly_budget_usd", 0)).resources("AWS::Budgets::Budget")) == []


def test_without_provisioned_concurrency_there_is_no_spill_over_alarm(synthesise: Synthesise) -> None:
    watched = {alarm["MetricName"] for _, _, alarm in alarms(synthesise(("api.provisioned_concurrency", 0)))}
    assert "Errors" in watched
    assert "ProvisionedConcurrencySpilloverInvocations" not in watched


def test_no_stack_depends_on_the_monitoring_stack(development: Assembly) -> None:
    manifest = json.loads((development.folder / "manifest.json").read_text())["artifacts"]
    for stack in development.names:
        assert "Monitoring" not in manifest[stack]["dependencies"]
