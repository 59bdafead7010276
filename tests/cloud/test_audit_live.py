"""`kennel audit --live` on the local AWS, with the rights that its document lists and no others."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from rehearsal.cloud.calls import read_calls
from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client
from tests.operate.role_templates import template

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
ROLE = "kennel-api-role"


def policy() -> dict[str, Any]:
    """The policy in the document."""
    (text,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture(scope="module")
def auditor(local_aws: LocalAws, client: Client) -> Iterator[dict[str, str]]:
    """The variables of a user who has the documented rights, in an account with one stack of Kennel."""
    shared = template(RoleName=ROLE, ManagedPolicyArns=[{"Ref": "Shared"}])
    statement = {"Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    shared["Resources"]["Shared"] = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    client("cloudformation").create_stack(
        StackName="kennel-api", TemplateBody=json.dumps(shared), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName="kennel-api", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    iam = client("iam")
    iam.create_user(UserName="auditor")
    iam.put_user_policy(UserName="auditor", PolicyName="Audit", PolicyDocument=json.dumps(policy()))
    key = iam.create_access_key(UserName="auditor")["AccessKey"]
    yield {
        **local_aws.variables,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    iam.delete_access_key(UserName="auditor", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="auditor", PolicyName="Audit")
    iam.delete_user(UserName="auditor")
    client("cloudformation").delete_stack(StackName="kennel-api")


def kennel(variables: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env=variables).invoke(app, ["audit", "--live", "--json", *arguments], catch_exceptions=False)


def test_the_documented_rights_are_those_that_it_uses(local_aws: LocalAws, auditor: dict[str, str]) -> None:
    result = kennel(auditor)

    content = json.loads(result.stdout)
    assert result.exit_code == 0, content
    assert [role["id"] for role in content["roles"]] == ["Role"]
    assert {each["severity"] for each in content["findings"]} <= {"note"}
    calls = read_calls(local_aws.folder, "user/auditor")
    used = {call.action for call in calls if call.principal.endswith("user/auditor")}
    needless = {"sts:GetCallerIdentity"}  # AWS lets everyone call it
    assert used - needless == set(policy()["Statement"][0]["Action"])


def test_a_missing_right_is_named(client: Client, auditor: dict[str, str]) -> None:
    fewer = policy()
    fewer["Statement"][0]["Action"].remove("iam:GetRolePolicy")
    client("iam").put_user_policy(UserName="auditor", PolicyName="Audit", PolicyDocument=json.dumps(fewer))
    try:
        result = kennel(auditor)
    finally:
        client("iam").put_user_policy(UserName="auditor", PolicyName="Audit", PolicyDocument=json.dumps(policy()))

    assert result.exit_code == 1
    (unknown,) = [each for each in json.loads(result.stdout)["findings"] if each["severity"] == "unknown"]
    assert "not authorized to perform: iam:GetRolePolicy" in unknown["summary"]


def test_what_was_changed_by_hand_is_found(client: Client, auditor: dict[str, str]) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    by_hand = {"RoleName": ROLE, "PolicyName": "ByHand"}
    client("iam").put_role_policy(
        **by_hand, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    try:
        result = kennel(auditor)
    finally:
        client("iam").delete_role_policy(**by_hand)

    assert result.exit_code == 3
    found = [each["summary"] for each in json.loads(result.stdout)["findings"] if each["subject"] == "drift"]
    assert found == ["The inline policy ByHand is not in the template. It allows s3:* on *."]
