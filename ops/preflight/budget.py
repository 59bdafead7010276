"""Whether the account may have a budget."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error
from ops.preflight.target import Target

SUBJECT = "account"


def checks(target: Target) -> Iterator[Check]:
    if target.partition == "aws" and "budget" in target.stacks and target.settings.monitoring.monthly_budget_usd:
        yield Check(subject=SUBJECT, title="the budgets of the account", needs="budgets:ViewBudget", find=budget)


def budget(target: Target) -> Iterator[Finding]:
    """A member of an organisation in which budgets are not enabled, or not yet: AWS takes up to a day.

    https://github.com/org-formation/org-formation-cli/pull/198
    """
    try:
        target.client("budgets", "us-east-1").describe_budgets(AccountId=target.account, MaxResults=1)
    except ClientError as refusal:
        if "is a linked account" not in refusal.response["Error"].get("Message", ""):
            raise
        yield error(
            SUBJECT,
            f"The account {target.account} may not have a budget yet: it belongs to an organisation, and its "
            f"management account has not enabled budgets, or did so less than a day ago "
            f"(monitoring.monthly_budget_usd is {target.settings.monitoring.monthly_budget_usd}).",
            "Deploy without one: -c monitoring.monthly_budget_usd=0. Or open Cost Explorer in the management account, "
            "turn on IAM access to billing there, and wait a day.",
        )
