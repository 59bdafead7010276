"""`kennel audit --live` on moto: drift, what was not used, access keys, and what AWS refuses."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from tests.operate.deployment import REGION
from tests.operate.moto_account import client
from tests.operate.role_templates import LAMBDA, template
from tests.preflight.account import ACCOUNT, Account, denied

TODAY = datetime.now(UTC)
ROLE = "kennel-api-role"


def deploy(*statements: dict[str, Any], stack: str = "kennel-api") -> None:
    body = json.dumps(template(*statements, RoleName=ROLE))
    client("cloudformation").create_stack(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])


def used(account: Account, *, created: int, role: int | None, services: dict[str, int | None]) -> None:
    """Days ago: when the role was made and used, and when it called each service. None: never."""

    def moment(days: int) -> datetime:
        return TODAY - timedelta(days=days)

    described = client("iam").get_role(RoleName=ROLE)["Role"]
    live = {**described, "CreateDate": moment(created)}
    if role is not None:
        live["RoleLastUsed"] = {"LastUsedDate": moment(role), "Region": REGION}
    account.answer("iam.GetRole", {"Role": {**live, "AssumeRolePolicyDocument": trust()}})
    account.answer("iam.GenerateServiceLastAccessedDetails", {"JobId": "1" * 36})
    details = [
        {
            "ServiceName": name,
            "ServiceNamespace": name,
            "TotalAuthenticatedEntities": 0 if days is None else 1,
            **({} if days is None else {"LastAuthenticated": moment(days)}),
        }
        for name, days in services.items()
    ]
    account.answer(
        "iam.GetServiceLastAccessedDetails",
        {
            "JobStatus": "COMPLETED",
            "JobCreationDate": TODAY,
            "JobCompletionDate": TODAY,
            "ServicesLastAccessed": details,
        },
    )


def trust() -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [LAMBDA]})


def kennel(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", "--live", *arguments], catch_exceptions=False)


def findings(result: Result) -> list[tuple[str, str, str]]:
    return [(each["severity"], each["subject"], each["summary"]) for each in json.loads(result.stdout)["findings"]]


def test_an_account_without_the_stacks_has_no_role(account: Account) -> None:
    result = kennel()

    assert result.exit_code == 4
    assert result.stdout.strip() == (
        f"No stack of this environment is deployed, so there is no role (development, account {ACCOUNT}, {REGION})."
    )


def test_a_role_that_is_in_use_and_as_deployed_has_no_finding(account: Account) -> None:
    deploy()
    used(account, created=200, role=1, services={"logs": 1})

    result = kennel("--json")

    assert (result.exit_code, findings(result)) == (0, [])
    (role,) = json.loads(result.stdout)["roles"]
    assert role["deployed"]["name"] == ROLE
    assert role["deployed"]["services"]["logs"][:10] == f"{TODAY - timedelta(days=1):%Y-%m-%d}"


def test_the_roles_of_a_stack_that_only_a_setting_adds_are_read(account: Account) -> None:
    deploy(stack="kennel-delivery")
    used(account, created=200, role=1, services={"logs": 1})

    (role,) = json.loads(kennel("--json").stdout)["roles"]

    assert (role["stack"], role["deployed"]["name"]) == ("Delivery", ROLE)


def test_a_policy_that_was_added_by_hand_is_drift(account: Account) -> None:
    deploy()
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    client("iam").put_role_policy(RoleName=ROLE, PolicyName="ByHand", PolicyDocument=json.dumps(everything))
    used(account, created=200, role=1, services={"logs": 1})

    result = kennel("--json")

    assert result.exit_code == 3
    assert findings(result) == [
        ("medium", "drift", "The inline policy ByHand is not in the template. It allows s3:* on *.")
    ]


def test_a_role_that_was_deleted_by_hand_is_drift(account: Account) -> None:
    deploy()
    client("iam").delete_role_policy(RoleName=ROLE, PolicyName="Rights")
    client("iam").delete_role(RoleName=ROLE)

    result = kennel("--json")

    assert result.exit_code == 3
    assert findings(result) == [("medium", "drift", f"The role {ROLE} does not exist, although its stack does.")]


@pytest.mark.parametrize(("role", "text"), [(None, "never"), (120, "last on ")])
def test_a_role_without_a_use_is_found(account: Account, role: int | None, text: str) -> None:
    deploy()
    used(account, created=200, role=role, services={"logs": None})

    ((severity, subject, summary),) = findings(kennel("--json"))

    assert (severity, subject) == ("low", "unused")
    assert f"was used {text}" in summary


def test_the_days_of_the_option_count(account: Account) -> None:
    deploy()
    used(account, created=200, role=120, services={"logs": 1})

    assert kennel("--unused-days", "150").exit_code == 0
    assert kennel("--unused-days", "100").exit_code == 3


def test_a_new_role_is_not_yet_unused(account: Account) -> None:
    deploy()
    used(account, created=5, role=None, services={"logs": None})

    assert kennel().exit_code == 0


def test_a_service_that_a_role_does_not_call_is_a_note(account: Account) -> None:
    deploy()
    used(account, created=200, role=1, services={"logs": 1, "xray": None})

    result = kennel("--json")

    assert result.exit_code == 0
    ((severity, subject, summary),) = findings(result)
    assert (severity, subject) == ("note", "unused")
    assert summary.startswith("The role has not called xray since ")


def key(account: Account, *, created: int, last: int | None, status: str = "Active") -> None:
    """An access key of the user ci, with days ago."""
    client("iam").create_user(UserName="ci")
    metadata = {"UserName": "ci", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": status}
    made = {**metadata, "CreateDate": TODAY - timedelta(days=created)}
    account.answer("iam.ListAccessKeys", {"AccessKeyMetadata": [made], "IsTruncated": False})
    use: dict[str, Any] = {"Region": "N/A", "ServiceName": "N/A"}
    if last is not None:
        use = {"Region": REGION, "ServiceName": "s3", "LastUsedDate": TODAY - timedelta(days=last)}
    account.answer("iam.GetAccessKeyLastUsed", {"UserName": "ci", "AccessKeyLastUsed": use})


@pytest.mark.parametrize(
    ("created", "last", "status", "expected"),
    [
        (200, None, "Active", "is active, 200 days old, and was never used."),
        (200, 150, "Active", "is active, 200 days old, and was last used on "),
        (200, 1, "Active", "is 200 days old. Its last call, on "),
        (200, None, "Inactive", ""),
        (20, None, "Active", ""),
    ],
)
def test_an_access_key_that_is_old_is_found(
    account: Account, created: int, last: int | None, status: str, expected: str
) -> None:
    key(account, created=created, last=last, status=status)

    found = findings(kennel("--json"))

    assert len(found) == bool(expected)
    assert all(expected in summary for *_, summary in found)


def test_a_key_of_the_root_user_is_found(account: Account) -> None:
    account.answer("iam.GetAccountSummary", {"SummaryMap": {"AccountAccessKeysPresent": 1}})

    result = kennel("--json")

    assert result.exit_code == 3
    assert findings(result) == [("high", "key", "The root user of the account has an access key.")]


def test_what_aws_refuses_is_unknown_and_exit_status_1(account: Account) -> None:
    deploy()
    used(account, created=200, role=1, services={"logs": 1})
    account.refuse("iam.ListUsers", denied("iam:ListUsers"))

    result = kennel()

    assert result.exit_code == 1
    assert "unknown account: AWS did not answer" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("INCOMPLETE: 1 check was not possible")
    assert "is not authorized to perform: iam:ListUsers" in result.stdout


def test_stacks_that_cannot_be_read_are_one_sentence(account: Account) -> None:
    account.refuse("cloudformation.DescribeStacks", denied("cloudformation:DescribeStacks"))

    result = CliRunner().invoke(app, ["audit", "--live"])

    assert result.exit_code == 1
    assert "These credentials need cloudformation:DescribeStacks." in str(result.exception)
