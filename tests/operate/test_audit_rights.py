"""`kennel audit`: each fault of a role is found, and the roles of both environments have none."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.audit.accepted import ACCEPTED
from ops.audit.finding import Report
from ops.audit.rights import findings
from ops.audit.roles import roles
from ops.audit.values import shown
from tests.operate.role_templates import role

GOLDEN = Path(__file__).resolve().parents[1] / "infra" / "golden"
"""The synthesised templates of both environments, which tests/infra/test_golden.py compares."""


def allow(actions: Any, resources: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def trusted(**statement: Any) -> list[tuple[str, str]]:
    """Severity and summary of the findings about who can assume a role."""
    found = role(trust={"Effect": "Allow", "Action": "sts:AssumeRole", **statement})
    return [(each.severity, each.summary) for each in findings(found) if each.subject == "trust"]


def found(*statements: dict[str, Any], **properties: Any) -> list[tuple[str, str]]:
    """Severity and subject of the findings about a role with these statements."""
    return [(each.severity, each.subject) for each in findings(role(*statements, **properties))]


@pytest.mark.parametrize("environment", ["development", "production"])
def test_no_role_of_an_environment_has_an_open_finding(environment: str) -> None:
    report = audited(environment)

    assert len(report.roles) > 10
    assert report.open == []


def test_each_accepted_finding_is_still_found() -> None:
    accepted = [each for name in ("development", "production") for each in audited(name).findings if each.accepted]
    reasons = {each.accepted for each in accepted}

    assert reasons == {reason for *_, reason in ACCEPTED}, "remove the entry that no template needs any more"


def audited(environment: str) -> Report:
    templates = {path.stem: json.loads(path.read_text()) for path in (GOLDEN / environment).glob("*.json")}
    read = list(roles(templates))
    return Report(
        environment=environment,
        source="templates",
        roles=read,
        findings=[each for one in read for each in findings(one)],
    )


def test_a_role_with_named_actions_and_resources_has_no_finding() -> None:
    assert found(allow("s3:GetObject", "arn:aws:s3:::photos/data/*")) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (allow("s3:*", "arn:aws:s3:::photos/*"), ("high", "wildcard")),
        (allow("s3:Get*", "arn:aws:s3:::photos/*"), ("medium", "wildcard")),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:aws:s3:::photos"}, ("high", "wildcard")),
        (
            {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::secret/*"},
            ("high", "wildcard"),
        ),
        (allow("sagemaker:InvokeEndpoint", "*"), ("medium", "resource")),
        (allow("sagemaker:InvokEndpoint", "arn:aws:sagemaker:us-east-1:1:endpoint/a"), ("medium", "action")),
        (allow("s3:PutBucketPolicy", "*"), ("high", "exposure")),
        (allow("secretsmanager:GetSecretValue", "*"), ("medium", "exposure")),
        (allow("ecr:GetAuthorizationToken", "*"), ("note", "exposure")),
    ],
)
def test_a_right_that_is_too_wide_is_found(statement: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in found(statement)


def test_a_denial_is_no_finding() -> None:
    assert found({"Effect": "Deny", "Action": "s3:*", "Resource": "*"}) == []


def test_rights_on_every_resource_that_gain_others_in_two_policies_are_found() -> None:
    """Neither policy alone lets the role gain anything."""
    passing = {"PolicyName": "Passing", "PolicyDocument": {"Statement": [allow("iam:PassRole", "*")]}}

    assert ("high", "escalation") in found(allow("sagemaker:CreateTrainingJob", "*"), Policies=[passing])


def test_rights_that_gain_those_of_one_role_are_a_note_with_that_role() -> None:
    statements = (
        allow("iam:PassRole", {"Fn::GetAtt": ["JobRole", "Arn"]}),
        allow("sagemaker:CreateTrainingJob", "arn:aws:sagemaker:us-east-1:1:training-job/kennel-*"),
    )

    (note,) = [each for each in findings(role(*statements)) if each.subject == "escalation"]

    assert note.severity == "note"
    assert "PassExistingRoleToNewSageMakerTrainingJob" in note.summary
    assert "gains the rights of ${JobRole.Arn} alone" in note.summary


@pytest.mark.parametrize(
    ("policy", "severity"),
    [
        ("arn:aws:iam::aws:policy/AmazonSageMakerFullAccess", "high"),
        ("arn:aws:iam::aws:policy/AdministratorAccess", "high"),
        ("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", "medium"),
    ],
)
def test_a_policy_of_aws_is_found(policy: str, severity: str) -> None:
    assert found(ManagedPolicyArns=[policy]) == [(severity, "policy")]


@pytest.mark.parametrize(
    ("principal", "condition", "severity"),
    [
        ("*", {}, "high"),
        ({"AWS": "*"}, {}, "high"),
        ({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, "medium"),
        ({"AWS": "arn:aws:iam::999999999999:root"}, {}, "medium"),
        (
            {"AWS": {"Fn::Join": ["", ["arn:aws:iam::", {"Ref": "AWS::AccountId"}, ":root"]]}},
            {},
            "low",
        ),
        ({"Service": "sagemaker.amazonaws.com"}, {}, "medium"),
        ({"Federated": "token.actions.githubusercontent.com"}, {}, "high"),
        (
            {"Federated": "token.actions.githubusercontent.com"},
            {"StringLike": {"token.actions.githubusercontent.com:sub": "*"}},
            "high",
        ),
    ],
)
def test_a_principal_that_reaches_too_far_is_found(principal: Any, condition: Any, severity: str) -> None:
    (seen,) = trusted(Principal=principal, **({"Condition": condition} if condition else {}))

    assert seen[0] == severity


@pytest.mark.parametrize(
    ("principal", "condition"),
    [
        ({"Service": "lambda.amazonaws.com"}, {}),
        ({"Service": "sagemaker.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}),
        (
            {"Federated": "token.actions.githubusercontent.com"},
            {"StringLike": {"token.actions.githubusercontent.com:sub": "repo:acme/dogs:ref:refs/heads/main"}},
        ),
        ({"AWS": {"Fn::GetAtt": ["Other", "Arn"]}}, {}),
    ],
)
def test_a_principal_that_is_limited_is_no_finding(principal: Any, condition: Any) -> None:
    assert trusted(Principal=principal, **({"Condition": condition} if condition else {})) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Ref": "Bucket"}, "${Bucket}"),
        ({"Fn::GetAtt": ["Role", "Arn"]}, "${Role.Arn}"),
        ({"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}, "s3"]]}, "arn:${AWS::Partition}:s3"),
        ({"Fn::Sub": "arn:aws:s3:::${Bucket}/*"}, "arn:aws:s3:::${Bucket}/*"),
        ({"Fn::GetStackOutput": {"StackName": "kennel-storage", "OutputName": "Name"}}, "${kennel-storage.Name}"),
        ({"Fn::Base64": "text"}, "${Fn::Base64}"),
        (True, "true"),
    ],
)
def test_a_reference_is_shown_by_its_name(value: Any, text: str) -> None:
    assert shown(value) == text
