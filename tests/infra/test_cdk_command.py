"""The pinned CDK command line, called directly, without make, against a local AWS that knows one account."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments.environment import STACKS
from tests.empty_moto import empty_moto
from tests.infra.conftest import ROOT

pytestmark = pytest.mark.slow

ACCOUNT = "123456789012"
"""moto's."""


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with empty_moto() as address:
        yield address


def cdk(*arguments: str, aws: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """As in a shell with the activated environment."""
    folder = Path(sys.executable).parent
    return subprocess.run(
        [str(ROOT / "node_modules" / ".bin" / "cdk"), *arguments],
        cwd=ROOT,
        env={
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "AWS_ENDPOINT_URL": aws,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_VALIDATION": "false",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def stacks(listed: subprocess.CompletedProcess[str]) -> set[str]:
    assert listed.returncode == 0, listed.stderr
    return {line.partition("(")[2].rstrip(")") for line in listed.stdout.splitlines()}


@pytest.mark.parametrize(("name", "prefix"), [("development", "kennel"), ("production", "kennel-production")])
def test_it_lists_the_stacks_of_the_chosen_environment(aws: str, name: str, prefix: str) -> None:
    listed = cdk("list", "-c", f"kennel.environment={name}", aws=aws)
    assert stacks(listed) == {f"{prefix}-{stack}" for stack in STACKS}


def test_a_key_of_somebody_elses_in_the_users_context_passes(aws: str, tmp_path: Path) -> None:
    (tmp_path / ".cdk.json").write_text('{"context": {"environment": "staging", "cli-telemetry": false}}')
    cache = Path.home() / ".cache"  # jsii's, which takes a minute to fill
    if cache.exists():
        (tmp_path / ".cache").symlink_to(cache)
    assert stacks(cdk("list", aws=aws, HOME=str(tmp_path))) == {f"kennel-{stack}" for stack in STACKS}


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (("kennel.photos_account=999999999999",), {}, f"in the account 999999999999, but CDK deploys to {ACCOUNT}"),
        (
            (f"kennel.photos_account={ACCOUNT}", "kennel.photos_region=us-east-1"),
            {"AWS_REGION": "eu-west-1"},
            "in the region us-east-1, but CDK deploys to eu-west-1",
        ),
        (
            ("kennel.environment=production", "kennel.photos_environment=development"),
            {},
            "photos of the environment 'development', but CDK deploys 'production'",
        ),
        (("project.region=eu-west-1",), {}, "edit 'region' in environments/development.toml"),
        (("kennel.enviroment=production",), {}, "Did you mean kennel.environment?"),
    ],
)
def test_it_refuses_another_deployment_than_the_files(
    aws: str, arguments: tuple[str, ...], variables: dict[str, str], sentence: str
) -> None:
    options = [word for argument in arguments for word in ("-c", argument)]
    refused = cdk("list", *options, aws=aws, **variables)
    assert refused.returncode != 0
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_open_region_is_the_same_for_cdk_and_for_kennel(aws: str) -> None:
    """Both take us-east-1 if no region is configured."""
    kennel = [sys.executable, "-c", "from ops.cli import main; main()", "data", "version", "--cdk-options"]
    variables = {"AWS_ENDPOINT_URL": aws, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    quiet = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "PATH": os.environ["PATH"]}
    read = subprocess.run(kennel, cwd=ROOT, env={**variables, **quiet}, capture_output=True, text=True, check=True)
    assert read.stdout.split()[1::2] == [
        "kennel.photos_environment=development",
        f"kennel.photos_account={ACCOUNT}",
        "kennel.photos_region=us-east-1",
    ]
    stacks(cdk("list", *read.stdout.split(), aws=aws))
