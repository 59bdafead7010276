"""The account's plan: since July 2025 a new account may be on AWS's free plan, which cannot start every instance."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error, warning
from ops.preflight.target import Target

SUBJECT = "account"
UPGRADE = "aws freetier upgrade-account-plan --account-plan-type PAID --region us-east-1"


def checks(target: Target) -> Iterator[Check]:
    if target.partition == "aws":  # the other partitions have no free plan
        yield Check(subject=SUBJECT, title="the plan of the account", needs="freetier:GetAccountPlanState", find=plan)


def plan(target: Target) -> Iterator[Finding]:
    """An account on the free plan."""
    try:
        state = target.client("freetier", "us-east-1").get_account_plan_state()
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] == "ResourceNotFoundException":  # older than the plans
            return
        raise
    if state["accountPlanType"] != "FREE":
        return
    if state["accountPlanStatus"] == "EXPIRED":
        yield error(SUBJECT, f"The free plan of the account {target.account} has expired.", UPGRADE)
    elif target.has_host:
        yield error(
            SUBJECT,
            f"The account {target.account} is on AWS's free plan, and EC2 starts only types of the free tier there, "
            f"not {target.settings.workbench.host_instance_type} (workbench.host_instance_type).",
            UPGRADE,
            "Or deploy without the host: -c workbench.host=false",
        )
    else:
        yield warning(
            SUBJECT,
            f"The account {target.account} is on AWS's free plan, which ends when its credits do and does not offer "
            "every service.",
            UPGRADE,
        )
