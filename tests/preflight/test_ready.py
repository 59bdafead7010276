"""An account without a gap, and one with every gap at once."""

import pytest

from ops.preflight.run import Report, preflight
from tests.preflight.account import Account, RefusedCallError, denied
from tests.preflight.ready import set_quotas

SUBJECTS = ["credentials", "account", "bootstrap", "quotas", "zone", "images", "roles", "stacks", "names", "photos"]


def test_nothing_stands_in_the_way_of_an_account_that_has_everything(account: Account) -> None:
    report = preflight()

    assert report.findings == []
    assert report.passed
    assert report.subjects == SUBJECTS


def test_it_only_reads(account: Account) -> None:
    account.calls.clear()  # what filled the account
    preflight()

    verbs = ("BatchGet", "Describe", "Get", "Head", "List", "Simulate")
    assert [call for call in account.calls if not call.partition(".")[2].startswith(verbs)] == []
    assert len(account.calls) > 20


def test_all_gaps_are_found_at_once(account: Account) -> None:
    set_quotas(account, {"ml.g4dn.xlarge for training job usage": 0})
    account.answer("lambda.GetAccountSettings", {"AccountLimit": {"ConcurrentExecutions": 10}})
    account.answer("ecr.BatchGetImage", {"images": [], "failures": []})

    report = preflight()

    assert not report.passed
    assert [(finding.severity, finding.subject) for finding in report.findings] == [
        ("error", "quotas"),
        ("error", "quotas"),
        ("error", "images"),
    ]


def test_a_deploy_of_the_bucket_alone_needs_no_quota_and_no_photos(empty_account: Account) -> None:
    report = preflight(stacks=["Storage"])

    assert report.subjects == ["credentials", "account", "bootstrap", "stacks", "names"]


def test_every_call_that_aws_refuses_is_a_line_with_the_missing_permission(account: Account) -> None:
    preflight()
    for operation in account.calls:
        if operation != "sts.GetCallerIdentity":
            service, _, action = operation.partition(".")
            account.refuse(operation, denied(f"{service}:{action}"))

    report = preflight()

    assert report.passed, "a permission that is missing is no proof of a gap"
    assert {finding.severity for finding in report.findings} == {"unknown"}
    assert {finding.subject for finding in report.findings} == {*SUBJECTS} - {"credentials"}
    for finding in report.findings:
        assert "so it is not checked" in finding.summary
        assert finding.remedy.startswith("These credentials need ")


def test_a_call_that_aws_throttles_is_repeated(account: Account) -> None:
    calls = 0

    def throttled(_: object) -> dict[str, str]:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise RefusedCallError("ThrottlingException", "Rate exceeded")
        return {"accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"}

    account.answer("freetier.GetAccountPlanState", throttled)

    assert preflight(stacks=["Storage"]).findings == []
    assert calls == 3


def test_an_answer_that_is_not_awss_leaves_the_other_checks(account: Account) -> None:
    account.break_answers("iam")

    report = preflight()

    (finding,) = report.findings
    assert (finding.severity, finding.subject) == ("unknown", "roles")


@pytest.mark.parametrize("code", ["InternalFailure", "SomethingNewException"])
def test_an_error_of_aws_is_no_pass(account: Account, code: str) -> None:
    account.refuse("freetier.GetAccountPlanState", RefusedCallError(code, "Try later.", 400))

    (finding,) = preflight(stacks=["Storage"]).findings
    assert (finding.severity, finding.subject) == ("unknown", "account")
    assert f"({code}: Try later.)" in finding.summary


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_aws_does_not_accept_are_the_only_finding(account: Account, code: str) -> None:
    account.refuse("sts.GetCallerIdentity", RefusedCallError(code, "No.", 403))

    report = preflight()

    (finding,) = report.findings
    assert not report.passed
    assert finding.subject == "credentials"
    assert code in finding.remedy


def test_progress_counts_every_check(account: Account) -> None:
    seen: list[tuple[int, int, str]] = []

    preflight(stacks=["Storage"], progress=lambda *each: seen.append(each))

    assert [each[:2] for each in seen] == [(done, len(seen)) for done in range(1, len(seen) + 1)]
    assert seen[-1][2] == f"{len(seen)} checks"  # it stays on the terminal, as the result of the step


def test_the_report_is_the_same_in_every_order_of_the_answers(account: Account) -> None:
    set_quotas(account, {"ml.g4dn.xlarge for training job usage": 0, "ml.m5.large for endpoint usage": 0})

    def once() -> Report:
        return preflight()

    assert once() == once()
