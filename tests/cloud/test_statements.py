"""Every statement of every role of the deployed stacks is needed, or has a reason in unexercised.toml.

A statement is needed if one of the calls of a whole deployment would have been decided otherwise without it.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.calls import read_calls
from rehearsal.cloud.statements import Use, deployed_roles, uses
from tests.cloud.kept import KENNEL, REPOSITORY, Kept, kept_kennel
from tests.cloud.root_keys import descendants, engine_on, environment, root_keys
from tests.patience import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")]
LIST = Path(__file__).with_name("unexercised.toml")


@pytest.fixture(scope="module")
def kennel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Kennel after its deployment, an update of its endpoint, and a call of its canary."""
    with kept_kennel(tmp_path_factory.mktemp("kept")) as kept:
        update_endpoint(kept.client("sagemaker"))
        assert wait_until(lambda: any("CanaryFunctionRole" in call.role for call in read_calls(kept.folder)))
        yield kept


def update_endpoint(sagemaker: Any) -> None:
    """Roll the endpoint out again, with its own configuration under another name."""
    (endpoint,) = sagemaker.list_endpoints()["Endpoints"]
    name = {"EndpointName": endpoint["EndpointName"]}
    config = sagemaker.describe_endpoint(**name)["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    sagemaker.create_endpoint_config(EndpointConfigName="again", ProductionVariants=variants)
    sagemaker.update_endpoint(**name, EndpointConfigName="again", RetainDeploymentConfig=True)
    assert wait_until(lambda: sagemaker.describe_endpoint(**name)["EndpointStatus"] == "InService")


@pytest.fixture(scope="module")
def found(kennel: Kept) -> list[Use]:
    roles = list(deployed_roles(kennel.client("iam"), kennel.client("cloudformation")))
    return uses(roles, read_calls(kennel.folder))


def unexercised() -> set[tuple[str, str]]:
    """Role and statement of each entry of the list."""
    return {(entry["role"], entry["statement"]) for entry in tomllib.loads(LIST.read_text())["unexercised"]}


def test_every_statement_is_needed_or_has_a_reason(found: list[Use]) -> None:
    idle = {(use.role, use.statement.name) for use in found if not use.by}

    assert idle - unexercised() == set(), "no call needs them: remove them, or give the reason in unexercised.toml"


def test_no_statement_of_the_list_is_needed_after_all(found: list[Use]) -> None:
    idle = {(use.role, use.statement.name) for use in found if not use.by}

    assert unexercised() - idle == set(), "a call needs them, or they are gone: remove them from unexercised.toml"


def test_no_role_of_the_stacks_is_denied_a_call(kennel: Kept) -> None:
    denied = [call for call in read_calls(kennel.folder) if call.denied and call.role.startswith("kennel-")]

    assert denied == []


def test_no_process_of_a_whole_deployment_has_the_key_of_the_account(kennel: Kept) -> None:
    keys = kennel.variables["AWS_ACCESS_KEY_ID"], kennel.variables["AWS_SECRET_ACCESS_KEY"]
    engine = engine_on(int(kennel.variables["AWS_ENDPOINT_URL"].rpartition(":")[2]))

    processes = {process: root_keys(environment(process), *keys) for process in descendants(engine)}

    assert len(processes) > 3, "the endpoint and the functions run"
    assert {process: names for process, names in processes.items() if names} == {}


@pytest.mark.parametrize("target", ["--lambda", "--endpoint"])
def test_kennel_predict_asks_what_is_deployed(kennel: Kept, target: str) -> None:
    photos = sorted((kennel.folder.parents[1] / "photos" / "test").rglob("*.jpg"))
    words = ["predict", *map(str, photos), target, "--json"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    ended = subprocess.run([*KENNEL, *words], cwd=REPOSITORY, env={**own, **kennel.variables}, capture_output=True)

    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert [line["photo"] for line in lines] == [str(photo) for photo in photos]
    assert all(len(line["predictions"]) == 3 for line in lines)


def test_kennel_rollback_serves_a_registered_version(kennel: Kept) -> None:
    """The version is a copy of the artifact that the deployment trained and registered."""
    sagemaker, s3 = kennel.client("sagemaker"), kennel.client("s3")
    (group,) = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    first = sagemaker.describe_model_package(ModelPackageName=f"{group['ModelPackageGroupName']}/1")
    bucket, _, key = first["SourceUri"].removeprefix("s3://").partition("/")
    copy = key.replace("/output/", "/copied/")
    s3.copy_object(Bucket=bucket, Key=copy, CopySource={"Bucket": bucket, "Key": key})
    sagemaker.create_model_package(
        ModelPackageGroupName=group["ModelPackageGroupName"],
        SourceUri=f"s3://{bucket}/{copy}",
        ModelApprovalStatus="Approved",
    )
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | kennel.variables

    def run(*words: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run([*KENNEL, *words, "--json"], cwd=REPOSITORY, env=own, capture_output=True)

    before, rolled_back, after = run("models"), run("rollback", "2", "--yes"), run("models")

    assert rolled_back.returncode == 0, rolled_back.stderr
    assert json.loads(rolled_back.stdout)["changed"] is True
    assert json.loads(before.stdout)["endpoint"]["version"] == 1
    assert json.loads(after.stdout)["endpoint"]["version"] == 2
