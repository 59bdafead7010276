"""The monthly budget."""

from tests.infra.conftest import Assembly, Synthesise


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


def test_the_budget_warns_above_its_thresholds_and_not_below(development: Assembly) -> None:
    budget = development.only("AWS::Budgets::Budget")
    notifications = [entry["Notification"] for entry in budget["NotificationsWithSubscribers"]]
    assert {each["ComparisonOperator"] for each in notifications} == {"GREATER_THAN"}
    assert {each["ThresholdType"] for each in notifications} == {"PERCENTAGE"}  # 80 dollars would warn at once
