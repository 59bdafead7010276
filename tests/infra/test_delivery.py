"""GitHub's roles may assume CDK's bootstrap roles and nothing else, and only the named jobs get them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from stacks.delivery.stack import DeliveryStack
from stacks.settings import DeliverySettings, SettingsError
from tests.infra.conftest import FLAGS, Assembly, load_settings
from tests.infra.iam import rights

ISSUER = "token.actions.githubusercontent.com"
REPOSITORY = "dogs@123456/kennel@456789"
TOKEN = {
    "aud": "sts.amazonaws.com",
    "sub": f"repo:{REPOSITORY}:environment:production",
    "ref": "refs/heads/main",
}
"""The claims of a job of the branch main in the GitHub environment production."""


def synthesised(folder: Path, environment: str, **settings: Any) -> Assembly:
    """The stack alone; tests/infra/test_settings_reach.py synthesises it beside the others."""
    app = cdk.App(context=FLAGS, outdir=str(folder))
    DeliveryStack(
        app,
        "Delivery",
        github_environment=environment,
        settings=DeliverySettings(repository=REPOSITORY, **settings),
        tags={"project": "kennel"},
    )
    app.synth()
    return Assembly(folder, app)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesised(tmp_path_factory.mktemp("cdk.out"), "production")


def role(assembly: Assembly, name: str) -> dict[str, Any]:
    (found,) = [
        resource["Properties"]
        for stack, logical_id, resource in assembly.resources("AWS::IAM::Role")
        if stack == "Delivery" and logical_id.startswith(name)
    ]
    properties: dict[str, Any] = found
    return properties


def may_assume(role: Mapping[str, Any], claims: Mapping[str, str]) -> bool:
    """Whether STS gives the role to a token with these claims. It compares as IAM's StringEquals does."""
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRoleWithWebIdentity")
    assert list(statement["Condition"]) == ["StringEquals"]
    conditions = statement["Condition"]["StringEquals"]
    return all(claims.get(name.removeprefix(f"{ISSUER}:")) == value for name, value in conditions.items())


def assumed_by(assembly: Assembly, holder: str) -> set[str]:
    """The roles that a role may assume, with CDK's placeholders."""
    held = [right for right in rights(assembly) if right.stack == "Delivery" and right.holder.startswith(holder)]
    assert [(right.actions, right.conditions) for right in held] == [(["sts:AssumeRole"], {})]
    return {resource["Fn::Sub"] for resource in held[0].resources}


def bootstrapped(folder: Path) -> dict[str, str]:
    """The bootstrap roles that the assembly tells CDK to use, by what they are for."""
    manifest = json.loads((folder / "manifest.json").read_text())["artifacts"].values()
    stacks = [each["properties"] for each in manifest if each["type"] == "aws:cloudformation:stack"]
    published = {
        destination["assumeRoleArn"]
        for assets in folder.glob("*.assets.json")
        for file in json.loads(assets.read_text())["files"].values()
        for destination in file["destinations"].values()
    }
    (publish,) = published
    (deploy,) = {each["assumeRoleArn"] for each in stacks}
    (lookup,) = {each["lookupRole"]["arn"] for each in stacks}
    return {"deploy": deploy, "publish": publish, "lookup": lookup}


def test_without_a_repository_there_is_no_role_for_github(development: Assembly, production: Assembly) -> None:
    for assembly in (development, production):
        assert "Delivery" not in assembly.names
        assert ISSUER not in json.dumps([assembly.raw(stack) for stack in assembly.names])


def test_the_deploy_role_may_assume_what_cdk_uses_and_nothing_else(delivery: Assembly) -> None:
    used = bootstrapped(delivery.folder)
    image = used["publish"].replace("file-publishing", "image-publishing")

    assert assumed_by(delivery, "DeployRole") == {used["deploy"], used["publish"], used["lookup"], image}


def test_another_bootstrap_stack_has_other_roles(tmp_path: Path) -> None:
    """cdk.json names it with this key of the context."""
    app = cdk.App(context={**FLAGS, "@aws-cdk/core:bootstrapQualifier": "team"}, outdir=str(tmp_path))
    DeliveryStack(app, "Delivery", github_environment="qa", settings=DeliverySettings(repository=REPOSITORY))
    app.synth()

    assert assumed_by(Assembly(tmp_path, app), "DiffRole") == {bootstrapped(tmp_path)["lookup"]}
    assert "cdk-team-lookup-role" in bootstrapped(tmp_path)["lookup"]


def test_the_role_for_pull_requests_may_assume_only_the_one_that_reads(delivery: Assembly) -> None:
    assert assumed_by(delivery, "DiffRole") == {bootstrapped(delivery.folder)["lookup"]}


def test_only_a_job_of_the_branch_in_the_environment_may_deploy(delivery: Assembly) -> None:
    deploy = role(delivery, "DeployRole")

    assert may_assume(deploy, TOKEN)
    for name, value in (
        ("aud", "https://github.com/dogs"),
        ("sub", f"repo:{REPOSITORY}:environment:development"),
        ("sub", f"repo:{REPOSITORY}:ref:refs/heads/main"),
        ("sub", f"repo:{REPOSITORY}:pull_request"),
        ("sub", "repo:dogs/kennel:environment:production"),
        ("sub", f"repo:{REPOSITORY}-fork:environment:production"),
        ("ref", "refs/heads/other"),
        ("ref", "refs/tags/main"),
        ("ref", "refs/pull/7/merge"),
    ):
        assert not may_assume(deploy, TOKEN | {name: value}), (name, value)
    for name in TOKEN:
        assert not may_assume(deploy, {key: value for key, value in TOKEN.items() if key != name}), name


def test_only_a_pull_request_of_the_repository_gets_the_reading_role(delivery: Assembly) -> None:
    diff = role(delivery, "DiffRole")
    token = TOKEN | {"sub": f"repo:{REPOSITORY}:pull_request", "ref": "refs/pull/7/merge"}

    assert may_assume(diff, token)
    assert not may_assume(diff, TOKEN)
    assert not may_assume(diff, token | {"sub": "repo:dogs@123456/other@1:pull_request"})
    assert not may_assume(diff, token | {"aud": "https://github.com/dogs"})


def test_each_environment_trusts_the_github_environment_of_its_name(tmp_path: Path) -> None:
    development = synthesised(tmp_path, "development")

    assert may_assume(role(development, "DeployRole"), TOKEN | {"sub": f"repo:{REPOSITORY}:environment:development"})
    assert not may_assume(role(development, "DeployRole"), TOKEN)


def test_a_provider_that_exists_is_used_and_not_created(delivery: Assembly, tmp_path: Path) -> None:
    created = delivery.only("AWS::IAM::OIDCProvider")
    assert (created["Url"], created["ClientIdList"]) == (f"https://{ISSUER}", ["sts.amazonaws.com"])
    existing = synthesised(tmp_path, "production", create_provider=False)

    assert list(existing.resources("AWS::IAM::OIDCProvider")) == []
    (statement,) = role(existing, "DeployRole")["AssumeRolePolicyDocument"]["Statement"]
    parts = statement["Principal"]["Federated"]["Fn::Join"][1]
    assert parts[-1] == f":oidc-provider/{ISSUER}"


def test_the_stack_waits_for_no_other_and_has_nothing_that_is_billed(delivery: Assembly) -> None:
    manifest = json.loads((delivery.folder / "manifest.json").read_text())["artifacts"]
    kinds = {resource["Type"] for stack, _, resource in delivery.resources("*") if stack == "Delivery"}

    assert [name for name in manifest["Delivery"]["dependencies"] if name in delivery.names] == []
    assert kinds == {"AWS::IAM::OIDCProvider", "AWS::IAM::Policy", "AWS::IAM::Role"}


@pytest.mark.parametrize(
    "repository", ["kennel", "dogs/kennel/main", "dogs/*", "https://github.com/dogs/kennel", "dogs/kennel:ref", "a b/c"]
)
def test_what_names_no_single_repository_is_refused(repository: str) -> None:
    with pytest.raises(SettingsError, match="OWNER/NAME or OWNER@ID/NAME@ID"):
        load_settings({"delivery.repository": repository})


@pytest.mark.parametrize("branch", ["", "release/*", "refs heads"])
def test_what_names_no_single_branch_is_refused(branch: str) -> None:
    with pytest.raises(SettingsError, match=r"delivery\.branch"):
        load_settings({"delivery.branch": branch})
