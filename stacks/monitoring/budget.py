"""A monthly budget that warns before the limit is reached."""

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from stacks.monitoring.alert_topic import AlertTopic


class MonthlyBudget(Construct):
    """Notifies the topic when the month's forecast exceeds the limit, and when 80% of the limit is spent.

    It covers the whole account. A filter by tag would match no cost, and so never warn, until someone activates that
    tag in the billing console.
    """

    def __init__(self, scope: Construct, id: str, *, limit_usd: int, alerts: AlertTopic) -> None:
        super().__init__(scope, id)
        budget = budgets.CfnBudget(
            self,
            "Budget",
            # No name: a changed notification replaces the budget, and a replacement cannot reuse a name.
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=limit_usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                _notification("FORECASTED", 100, alerts),
                _notification("ACTUAL", 80, alerts),
            ],
        )
        budget.node.add_dependency(
            alerts
        )  # the topic's policy too: AWS Budgets rejects a topic that it may not publish to


def _notification(kind: str, percent: int, alerts: AlertTopic) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
    return budgets.CfnBudget.NotificationWithSubscribersProperty(
        notification=budgets.CfnBudget.NotificationProperty(
            notification_type=kind,
            comparison_operator="GREATER_THAN",
            threshold=percent,
            threshold_type="PERCENTAGE",
        ),
        subscribers=[budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=alerts.topic.topic_arn)],
    )
