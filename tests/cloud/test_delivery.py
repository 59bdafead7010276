"""IAM decides about the roles of GitHub Actions: the token of a pull request reaches only CDK's reading role."""

import base64
import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from rehearsal.cloud.local import LocalAws
from stacks.delivery.stack import DeliveryStack
from stacks.settings import DeliverySettings
from tests.cloud.conftest import Client

STACK = "github"
REPOSITORY = "dogs@123456/kennel@456789"
ISSUER = "https://token.actions.githubusercontent.com"
QUALIFIER = "delivery"
"""Of the bootstrap stack. Tests of other files bootstrap the same account, with CDK's own qualifier."""

BOOTSTRAP = ("deploy", "file-publishing", "image-publishing", "lookup")


def token(**claims: str) -> str:
    """A token of GitHub with these claims. Nothing here verifies a signature."""
    parts: tuple[dict[str, str], ...] = ({"alg": "RS256"}, {"iss": ISSUER, "aud": "sts.amazonaws.com", **claims}, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


@pytest.fixture(scope="module")
def outputs(client: Client, local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The outputs of the deployed stack, in an account with the roles of the bootstrap stack."""
    account, region = local_aws.settings.account, local_aws.settings.region
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    for name in BOOTSTRAP:
        client("iam").create_role(
            RoleName=f"cdk-{QUALIFIER}-{name}-role-{account}-{region}",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
    client("ssm").put_parameter(Name=f"/cdk-bootstrap/{QUALIFIER}/version", Value="30", Type="String")
    app = cdk.App(
        outdir=str(tmp_path_factory.mktemp("cdk.out")), context={"@aws-cdk/core:bootstrapQualifier": QUALIFIER}
    )
    stack = DeliveryStack(
        app,
        "Delivery",
        github_environment="production",
        settings=DeliverySettings(repository=REPOSITORY),
    )
    template = (Path(app.synth().directory) / stack.template_file).read_text()
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    [deployed] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in deployed["Outputs"]}


def session(client: Client, role: str, token: str) -> dict[str, str]:
    """What the workflow gets for a token, as arguments of `client`. Raises ClientError where IAM refuses."""
    found = client("sts").assume_role_with_web_identity(RoleArn=role, RoleSessionName="test", WebIdentityToken=token)
    keys = found["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


def test_a_pull_request_reaches_the_reading_role_and_no_other(client: Client, outputs: dict[str, str]) -> None:
    keys = session(client, outputs["DiffRoleArn"], token(sub=f"repo:{REPOSITORY}:pull_request"))
    sts: Any = client("sts", **keys)

    reached = sts.assume_role(RoleArn=outputs["LookupRoleArn"], RoleSessionName="test")
    assert "-lookup-role-" in reached["AssumedRoleUser"]["Arn"]
    for name in BOOTSTRAP[:-1]:
        with pytest.raises(sts.exceptions.ClientError, match="AccessDenied"):
            sts.assume_role(RoleArn=outputs["LookupRoleArn"].replace("lookup", name), RoleSessionName="test")
    for service, call in (("s3", "list_buckets"), ("iam", "list_roles"), ("cloudformation", "describe_stacks")):
        with pytest.raises(sts.exceptions.ClientError, match="AccessDenied"):
            getattr(client(service, **keys), call)()


@pytest.mark.parametrize(
    ("role", "sub"),
    [
        ("DiffRoleArn", "repo:dogs@123456/other@1:pull_request"),
        ("DiffRoleArn", f"repo:{REPOSITORY}:ref:refs/heads/main"),
        ("DeployRoleArn", f"repo:{REPOSITORY}:pull_request"),
        # without the claim `ref`, which the local AWS does not read from a token
        ("DeployRoleArn", f"repo:{REPOSITORY}:environment:production"),
    ],
)
def test_other_tokens_are_refused(role: str, sub: str, client: Client, outputs: dict[str, str]) -> None:
    with pytest.raises(client("sts").exceptions.ClientError, match="AssumeRoleWithWebIdentity"):
        session(client, outputs[role], token(sub=sub))
