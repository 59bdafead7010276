"""A rehearsal uses its local AWS, whatever the operator's shell says."""

import os
import subprocess
from pathlib import Path

import boto3
import pytest

from environments.environment import Environment
from ops.rehearse.account import local_aws, variables
from ops.rehearse.isolation import only, without_foreign
from ops.rehearse.keep import shell

OF_A_SHELL = {
    "AWS_PROFILE": "company",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AMAZON_REGION": "eu-west-1",
    "CDK_DEFAULT_ACCOUNT": "123456789012",
    "KENNEL_ENV": "production",
    "HTTP_PROXY": "http://proxy.example.com:3128",
    "NO_PROXY": "intranet.example.com",
}
LOCAL = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_REGION": "us-east-1"}


@pytest.fixture(autouse=True)
def shell_of_an_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OF_A_SHELL.items():
        monkeypatch.setenv(name, value)


def test_the_variables_of_the_shell_are_not_seen_and_come_back() -> None:
    before = dict(os.environ)
    with only(LOCAL):
        found = {
            name: os.environ[name] for name in os.environ if name.startswith(("AWS_", "AMAZON_", "CDK_", "KENNEL"))
        }
        assert found == LOCAL
    assert dict(os.environ) == before


def test_they_come_back_after_an_error() -> None:
    before = dict(os.environ)
    with pytest.raises(RuntimeError), only(LOCAL):
        raise RuntimeError
    assert dict(os.environ) == before


def test_no_proxy_is_asked_for_the_loopback_interface() -> None:
    kept = without_foreign(os.environ)

    assert kept["HTTP_PROXY"] == OF_A_SHELL["HTTP_PROXY"]
    for name in ("NO_PROXY", "no_proxy"):
        assert {"127.0.0.1", "localhost"} <= set(kept[name].split(","))
    assert "intranet.example.com" in kept["NO_PROXY"]


def test_a_shell_that_sources_the_file_has_only_the_variables_of_the_local_aws(tmp_path: Path) -> None:
    file = tmp_path / "aws.sh"
    file.write_text(shell({**LOCAL, "AWS_SECRET_ACCESS_KEY": "it's a secret", "TMPDIR": "/elsewhere"}))

    ended = subprocess.run(["bash", "-euc", f"source {file} && env -0"], capture_output=True, text=True, check=True)

    found = dict(pair.split("=", 1) for pair in ended.stdout.split("\0") if pair)
    assert {name: found[name] for name in found if name.startswith(("AWS_", "AMAZON_", "CDK_", "KENNEL"))} == {
        **LOCAL,
        "AWS_SECRET_ACCESS_KEY": "it's a secret",
    }
    assert found["NO_PROXY"].split(",")[0] == "intranet.example.com"
    assert "127.0.0.1" in found["no_proxy"]
    assert found.get("TMPDIR") == os.environ.get("TMPDIR")


def test_the_account_and_the_region_are_those_of_the_environment(tmp_path: Path) -> None:
    here = Environment(name="production", account="123456789012", region="eu-central-1")
    aws = local_aws(here, tmp_path / "aws")

    assert aws.settings.account == "123456789012"
    found = variables(aws, here)
    assert (found["AWS_REGION"], found["KENNEL_ENV"]) == ("eu-central-1", "production")


def test_an_environment_with_a_profile_gets_it_with_the_keys_of_the_local_aws(tmp_path: Path) -> None:
    here = Environment(name="production", profile="kennel-production", region="eu-central-1")
    aws = local_aws(here, tmp_path / "aws")
    aws.folder.mkdir()

    with only(variables(aws, here)):
        assert "AWS_ACCESS_KEY_ID" not in os.environ
        session = boto3.Session()
        keys = session.get_credentials()
        assert keys is not None
        assert (session.profile_name, keys.access_key) == ("kennel-production", aws.settings.root_key)
        assert session.region_name == "eu-central-1"
    assert (aws.folder / "aws-credentials").stat().st_mode & 0o077 == 0
