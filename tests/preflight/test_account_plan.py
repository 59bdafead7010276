"""The account's plan and its budgets."""

import pytest

from tests.preflight.account import ACCOUNT, Account, RefusedCallError, denied
from tests.preflight.ready import findings, only


def plan(account: Account, kind: str, status: str = "ACTIVE") -> None:
    account.answer("freetier.GetAccountPlanState", {"accountPlanType": kind, "accountPlanStatus": status})


def test_an_account_that_is_older_than_the_plans_is_no_finding(account: Account) -> None:
    account.refuse("freetier.GetAccountPlanState", RefusedCallError("ResourceNotFoundException", "No plan."))

    assert findings("account") == []


def test_the_free_plan_does_not_start_the_host(account: Account) -> None:
    plan(account, "FREE")

    finding = only("account")

    assert finding.severity == "error"
    assert "not g4dn.xlarge" in finding.summary
    assert "--account-plan-type PAID" in finding.remedy


def test_the_free_plan_without_a_host_is_a_warning(account: Account) -> None:
    plan(account, "FREE")

    assert only("account", {"workbench.host": "false"}).severity == "warning"


def test_a_free_plan_that_expired_is_an_error(account: Account) -> None:
    plan(account, "FREE", "EXPIRED")

    assert only("account", {"workbench.host": "false"}).severity == "error"


LINKED = (
    f"Account {ACCOUNT} is a linked account. To enable budgets for your account, ask the payer account to enable "
    "budgets first."
)


def test_a_young_member_of_an_organisation_may_have_no_budget(account: Account) -> None:
    account.refuse("budgets.DescribeBudgets", RefusedCallError("AccessDeniedException", LINKED))

    finding = only("account")

    assert finding.severity == "error"
    assert "-c monitoring.monthly_budget_usd=0" in finding.remedy


@pytest.mark.parametrize(("stacks", "budget"), [(["Monitoring"], "100"), (["--all"], "0")])
def test_a_deploy_without_a_budget_does_not_ask(account: Account, stacks: list[str], budget: str) -> None:
    account.refuse("budgets.DescribeBudgets", RefusedCallError("AccessDeniedException", LINKED))

    assert findings("account", {"monitoring.monthly_budget_usd": budget}, stacks=stacks) == []


def test_a_missing_permission_is_not_a_missing_budget(account: Account) -> None:
    account.refuse("budgets.DescribeBudgets", denied("budgets:ViewBudget"))

    finding = only("account")

    assert finding.severity == "unknown"
    assert finding.remedy == "These credentials need budgets:ViewBudget."
