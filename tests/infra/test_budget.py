"""The monthly budget."""

import json

from tests.infra.conftest import Assembly, Synthesise


def test_the_budget_notifies_on_forecast_and_on_actual_cost(development: Assembly) -> None:
    budget = development.only("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 220, "Unit": "USD"}
    assert budget["Budget"]["TimeUnit"] == "MONTHLY"
    assert "BudgetName" not in budget["Budget"]
    notifications = [
        (entry["Notification"]["NotificationType"], entry["Notification"]["Threshold"], entry["Subscribers"][0])
        for entry in budget["NotificationsWithSubscribers"]
    ]
    ((stack, topic, _),) = development.resources("AWS::SNS::Topic")
    (output,) = [
        name
        for name, output in development.raw(stack)["Outputs"].items()
        if output["Value"] == {"Ref": topic} and name.startswith("Publish")
    ]
    assert [(kind, threshold) for kind, threshold, _ in notifications] == [("FORECASTED", 100), ("ACTUAL", 80)]
    for _, _, subscriber in notifications:
        assert subscriber["SubscriptionType"] == "SNS"
        reference = subscriber["Address"]["Fn::GetStackOutput"]
        assert (reference["StackName"], reference["OutputName"]) == ("kennel-monitoring", output)


def test_the_budget_is_created_after_the_topics_policy(development: Assembly) -> None:
    """AWS Budgets rejects a topic that it may not publish to."""
    ((alerts_in, _, _),) = development.resources("AWS::SNS::TopicPolicy")
    ((budget_in, _, _),) = development.resources("AWS::Budgets::Budget")
    manifest = json.loads((development.folder / "manifest.json").read_text())["artifacts"]
    assert alerts_in in manifest[budget_in]["dependencies"]


def test_the_budget_can_be_changed_and_left_out(synthesise: Synthesise) -> None:
    assert (
        synthesise(("monitoring.monthly_budget_usd", 30)).only("AWS::Budgets::Budget")["Budget"]["BudgetLimit"][
            "Amount"
        ]
        == 30
    )
    assert list(synthesise(("monitoring.monthly_budget_usd", 0)).resources("AWS::Budgets::Budget")) == []


def test_without_a_budget_its_stack_stays(synthesise: Synthesise) -> None:
    """CDK would delete a stack without resources, which a termination protection refuses."""
    assert len(synthesise(("monitoring.monthly_budget_usd", 0)).raw("Budget")["Resources"]) == 1


def test_the_budget_warns_above_its_thresholds_and_not_below(development: Assembly) -> None:
    budget = development.only("AWS::Budgets::Budget")
    notifications = [entry["Notification"] for entry in budget["NotificationsWithSubscribers"]]
    assert {each["ComparisonOperator"] for each in notifications} == {"GREATER_THAN"}
    assert {each["ThresholdType"] for each in notifications} == {"PERCENTAGE"}  # 80 dollars would warn at once
