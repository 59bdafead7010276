"""A role of the account is compared with its template, whose references the account has resolved."""

from typing import Any

import pytest

from ops.audit.drift import Deployed, References, findings
from tests.operate.role_templates import LAMBDA, LOGS, role

REFERENCES = References(
    pseudo={"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"},
    physical={"Role": "kennel-api-Role-1", "Job": "job-role-7", "Key": "arn:aws:kms:us-east-1:123456789012:key/1"},
    outputs={("kennel-storage", "BucketName"): "photos"},
)
LIVE_LOGS = {**LOGS, "Resource": "arn:aws:logs:*:*:log-group:/kennel/api:*"}


def drift(
    *statements: dict[str, Any],
    live: list[dict[str, Any]],
    trust: dict[str, Any] = LAMBDA,
    more: dict[str, Any] | None = None,
    attached: dict[str, Any] | None = None,
    **properties: Any,
) -> list[str]:
    """The summaries about a role with these statements, where the account has the statements `live`."""
    deployed = Deployed(
        trust={"Version": "2012-10-17", "Statement": [trust]},
        inline={"Rights": {"Version": "2012-10-17", "Statement": [LIVE_LOGS, *live]}, **(more or {})},
        attached=attached or {},
    )
    return [each.summary for each in findings(role(*statements, **properties), deployed, REFERENCES)]


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("arn:aws:s3:::photos", "arn:aws:s3:::photos"),
        ({"Fn::GetAtt": ["Job", "Arn"]}, "arn:aws:iam::123456789012:role/job-role-7"),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "arn:aws:kms:us-east-1:123456789012:key/1"),
        ({"Fn::Sub": "arn:${AWS::Partition}:s3:::a"}, "arn:aws:s3:::a"),
        (
            {
                "Fn::Join": [
                    "",
                    [
                        "arn:aws:s3:::",
                        {"Fn::GetStackOutput": {"StackName": "kennel-storage", "OutputName": "BucketName"}},
                    ],
                ]
            },
            "arn:aws:s3:::photos",
        ),
        ({"Fn::FindInMap": ["Accounts", {"Ref": "AWS::Region"}, "Account"]}, "763104351884"),
    ],
)
def test_a_reference_is_what_the_account_has(reference: Any, text: str) -> None:
    assert drift(allow("s3:GetObject", reference), live=[allow("s3:GetObject", text)]) == []


def test_one_value_and_a_list_of_one_are_the_same_in_any_order() -> None:
    wanted = allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::a")
    there = allow(["s3:PutObject", "s3:GetObject"], ["arn:aws:s3:::a"])

    assert drift(wanted, live=[there]) == []


@pytest.mark.parametrize(
    ("live", "said"),
    [
        ([], "the template allows s3:GetObject on arn:aws:s3:::a"),
        (
            [allow("s3:*", "arn:aws:s3:::a")],
            "the account allows s3:* on arn:aws:s3:::a, and the template allows s3:GetObject on arn:aws:s3:::a",
        ),
        ([allow("s3:GetObject", "*")], "the account allows s3:GetObject on *"),
        (
            [allow("s3:GetObject", "arn:aws:s3:::a"), allow("iam:PassRole", "*")],
            "was changed: the account allows iam:PassRole on *.",
        ),
        ([{**allow("s3:GetObject", "arn:aws:s3:::a"), "Effect": "Deny"}], "the account denies s3:GetObject"),
        (
            [allow("s3:GetObject", "arn:aws:s3:::a", Condition={"Bool": {"aws:SecureTransport": "true"}})],
            "the account allows s3:GetObject on arn:aws:s3:::a",
        ),
    ],
)
def test_a_changed_statement_is_said_with_what_it_allows(live: list[dict[str, Any]], said: str) -> None:
    (summary,) = drift(allow("s3:GetObject", "arn:aws:s3:::a"), live=live)

    assert said in summary


def test_another_role_is_not_taken_for_the_referenced_one() -> None:
    wanted = allow("iam:PassRole", {"Fn::GetAtt": ["Job", "Arn"]})

    assert drift(wanted, live=[allow("iam:PassRole", "arn:aws:iam::123456789012:role/admin")])


def test_a_policy_that_no_template_has_is_found() -> None:
    added = {"Statement": [allow("*", "*")]}

    assert drift(live=[], more={"ByHand": added}) == [
        "The inline policy ByHand is not in the template. It allows * on *."
    ]


def test_an_attached_policy_that_no_template_has_is_found() -> None:
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"

    assert drift(live=[], attached={admin: None}) == [f"The policy {admin} is attached, and is not in the template."]


def test_a_policy_of_the_template_that_is_no_longer_attached_is_found() -> None:
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

    assert drift(live=[], ManagedPolicyArns=[basic]) == [
        f"The policy {basic} of the template is not attached in the account."
    ]


def test_a_changed_trust_policy_is_found() -> None:
    everyone = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}

    (summary,) = drift(live=[], trust=everyone)

    assert summary.startswith("The trust policy is not that of the template.")
    assert '"AWS": "*"' in summary
