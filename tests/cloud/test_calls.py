"""Each decided call is recorded, with the statements of the caller that it needs."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.calls import Call, read_calls
from rehearsal.cloud.local import LocalAws
from rehearsal.cloud.statement import Statement
from rehearsal.cloud.statements import Role, uses
from tests.cloud.conftest import Client


def statement(*actions: str, on: str = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": list(actions), "Resource": on, **more}


class Caller:
    """A role, assumed by the account's root through STS."""

    def __init__(
        self, client: Client, *policies: Sequence[dict[str, Any]], tags: Sequence[dict[str, str]] = ()
    ) -> None:
        self.name = f"caller-{uuid4().hex[:8]}"
        trust = statement("sts:AssumeRole", Principal={"AWS": "*"})
        del trust["Resource"]
        iam = client("iam")
        arn = iam.create_role(
            RoleName=self.name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}), Tags=list(tags)
        )["Role"]["Arn"]
        for number, statements in enumerate(policies):
            document = json.dumps({"Statement": statements})
            iam.put_role_policy(RoleName=self.name, PolicyName=f"policy-{number}", PolicyDocument=document)
        keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        self._client, self._keys = client, keys

    def __call__(self, service: str) -> Any:
        return self._client(
            service,
            aws_access_key_id=self._keys["AccessKeyId"],
            aws_secret_access_key=self._keys["SecretAccessKey"],
            aws_session_token=self._keys["SessionToken"],
        )


def calls_of(aws: LocalAws, caller: Caller) -> list[Call]:
    return [call for call in read_calls(aws.folder, caller.name) if call.role == caller.name]


def test_a_call_needs_the_one_statement_that_allows_it(client: Client, local_aws: LocalAws) -> None:
    buckets, topics = statement("s3:ListAllMyBuckets", "s3:GetObject"), statement("sns:ListTopics")
    caller = Caller(client, [topics], [buckets])

    caller("s3").list_buckets()

    (call,) = calls_of(local_aws, caller)
    assert (call.action, call.denied) == ("s3:ListAllMyBuckets", "")
    assert call.needs == (Statement.read(buckets).digest,)


def test_a_call_that_two_statements_allow_needs_neither(client: Client, local_aws: LocalAws) -> None:
    caller = Caller(client, [statement("s3:ListAllMyBuckets"), statement("s3:List*")])

    caller("s3").list_buckets()

    assert [call.needs for call in calls_of(local_aws, caller)] == [()]


def test_a_call_that_is_denied_needs_the_deny(client: Client, local_aws: LocalAws) -> None:
    deny = statement("s3:ListAllMyBuckets", effect="Deny")
    caller = Caller(client, [statement("s3:*"), deny])

    with pytest.raises(ClientError, match="AccessDenied"):
        caller("s3").list_buckets()

    (call,) = calls_of(local_aws, caller)
    assert call.denied == "Deny"
    assert call.needs == (Statement.read(deny).digest,)


def test_a_call_without_any_right_is_recorded_as_denied(client: Client, local_aws: LocalAws) -> None:
    caller = Caller(client)

    with pytest.raises(ClientError, match="AccessDenied"):
        caller("s3").list_buckets()

    assert [(call.denied, call.needs) for call in calls_of(local_aws, caller)] == [("ImplicitDeny", ())]


def test_a_refusal_names_the_resource(client: Client, local_aws: LocalAws) -> None:
    caller = Caller(client)

    with pytest.raises(ClientError, match="on resource: arn:aws:sagemaker:us-east-1:000000000000:endpoint/any because"):
        caller("sagemaker-runtime").invoke_endpoint(EndpointName="any", Body=b"")

    assert [call.action for call in calls_of(local_aws, caller)] == ["sagemaker:InvokeEndpoint"]


def test_the_same_call_after_a_change_of_the_policy_is_evaluated_again(client: Client, local_aws: LocalAws) -> None:
    first, second = statement("s3:ListAllMyBuckets"), statement("s3:List*")
    caller = Caller(client, [first])
    caller("s3").list_buckets()
    client("iam").put_role_policy(
        RoleName=caller.name, PolicyName="policy-0", PolicyDocument=json.dumps({"Statement": [second]})
    )

    caller("s3").list_buckets()

    needs = [call.needs for call in calls_of(local_aws, caller)]
    assert needs == [(Statement.read(first).digest,), (Statement.read(second).digest,)]


def any_call(role: str, action: str, *needs: dict[str, Any]) -> Call:
    principal = f"arn:aws:sts::000000000000:assumed-role/{role}/session"
    return Call(principal, action, "*", "us-east-1", {}, "", tuple(Statement.read(each).digest for each in needs))


def test_the_report_says_what_needs_a_statement_and_which_of_its_actions_nothing_needs() -> None:
    logs, rest = statement("logs:Put*", "logs:CreateLogStream"), statement("sqs:SendMessage")
    roles = [Role("Api/Role", "api", (Statement.read(logs), Statement.read(rest)))]

    needed, idle = uses(roles, [any_call("api", "logs:PutLogEvents", logs), any_call("other", "sqs:SendMessage", rest)])

    assert (needed.role, needed.by, needed.idle) == ("Api/Role", ("logs:PutLogEvents",), ("logs:CreateLogStream",))
    assert (idle.by, idle.idle) == ((), ("sqs:SendMessage",))


def test_a_statement_is_named_by_its_sid_or_by_its_actions() -> None:
    assert Statement.read(statement("s3:GetObject", "s3:PutObject")).name == "s3:GetObject, s3:PutObject"
    assert Statement.read(statement("s3:GetObject", Sid="Read")).name == "Read"
    prefixes = {"StringLike": {"s3:prefix": ["data/*", "models/*"]}}
    name = "s3:ListBucket if s3:prefix StringLike data/* or models/*"
    assert Statement.read(statement("s3:ListBucket", Condition=prefixes)).name == name


def test_the_command_lists_what_needs_each_statement_of_a_stack(client: Client, local_aws: LocalAws) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    rights = [statement("s3:ListAllMyBuckets", "s3:GetObject"), statement("sns:ListTopics")]
    properties = {
        "AssumeRolePolicyDocument": {"Statement": [trust]},
        "Policies": [{"PolicyName": "rights", "PolicyDocument": {"Statement": rights}}],
    }
    template = {"Resources": {"CallerRole0123ABCD": {"Type": "AWS::IAM::Role", "Properties": properties}}}
    stack, cloudformation = f"stack-{uuid4().hex[:8]}", client("cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    (resource,) = cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    arn = client("iam").get_role(RoleName=resource["PhysicalResourceId"])["Role"]["Arn"]
    keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    client(
        "s3",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    ).list_buckets()

    command = [sys.executable, "-m", "rehearsal.cloud.statements", str(local_aws.folder)]
    ended = subprocess.run(command, env={**os.environ, **local_aws.variables}, capture_output=True, text=True)

    path = f"{stack}/CallerRole"
    lines = [line for line in ended.stdout.splitlines() if line.startswith(path)]
    assert lines == [
        f"{path}: sns:ListTopics: not exercised",
        f"{path}: s3:ListAllMyBuckets, s3:GetObject: needed by s3:ListAllMyBuckets (no call needs s3:GetObject)",
    ], ended.stderr
