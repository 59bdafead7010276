"""Budget: a monthly limit that warns before it is reached."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from constructs import Construct

from stacks.monitoring.alert_topic import AlertTopic


class BudgetStack(cdk.Stack):
    """Owns the budget. Deleting it ends the warnings about costs, and nothing else.

    A stack of its own: where AWS refuses a budget, the alarms of the monitoring stack stay. With a limit of 0 US
    dollars there is no budget.
    """

    def __init__(self, scope: Construct, id: str, *, limit_usd: int, alerts: AlertTopic, **kwargs: Any) -> None:
        super().__init__(scope, id, **kwargs)
        # The topic's policy too: AWS Budgets rejects a topic that it may not publish to.
        self.node.add_dependency(alerts)
        if limit_usd:
            self._budget(limit_usd, alerts)
        else:
            # CDK deletes a stack without resources, which fails if the stack has termination protection.
            cdk.CfnWaitConditionHandle(self, "NoBudget")

    def _budget(self, limit_usd: int, alerts: AlertTopic) -> None:
        """Notifies the topic when the month's forecast exceeds the limit, and when 80% of the limit is spent.

        It covers the whole account. A filter by tag would match no cost, and so never warn, until someone activates
        that tag in the billing console.
        """
        budgets.CfnBudget(
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
