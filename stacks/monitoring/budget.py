"""A monthly budget that warns before the money is spent."""

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from stacks.monitoring.alert_topic import AlertTopic


class MonthlyBudget(Construct):
    """Tells the topic when the month is forecast to end above the limit, and when four fifths of it are spent.

    It watches the whole account: a filter by tag counts nothing, and warns of nothing, until somebody activates that
    tag in the billing console.
    """

    def __init__(self, scope: Construct, id: str, *, limit_usd: int, alerts: AlertTopic) -> None:
        super().__init__(scope, id)
        budget = budgets.CfnBudget(
            self,
            "Budget",
            # unnamed: another limit of a notification is another budget, and a name in use cannot be made again
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
        budget.node.add_dependency(alerts)  # its policy too: AWS Budgets refuses a topic that it may not publish to


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
