"""Every `kennel` command that calls AWS reads the named environment, in the region of its file.

Stacks of the same name are in two regions, and the shell's region is not the file's: no variable names one. A command
that ignored the environment would read the default environment's stack, or the other region's.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

import environments
from ops.cli import app
from tests.distributed.dogs import write_photos

REGION = "eu-west-1"
"""The region in the environment's file."""
ELSEWHERE = "us-east-1"
"""The region that boto3 and CDK take if none is configured."""
JOB = "training/artifacts/job/output/output.tar.gz"
STACKS = {"storage": ("DataUri", "data/"), "training": ("Report", JOB)}
"""Each stack's output and the key in its bucket that the output names."""


def bucket(region: str, prefix: str) -> str:
    return f"{prefix}-photos-in-{region}"


def deploy(region: str, prefix: str) -> None:
    """Stacks with a bucket of their own, which has a photo and a report."""
    s3, name = boto3.client("s3", region_name=region), bucket(region, prefix)
    place: Any = {} if region == ELSEWHERE else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **place)
    s3.put_object(Bucket=name, Key="data/train/pug/1.jpg", Body=name.encode())
    s3.put_object(Bucket=name, Key=JOB, Body=report(name))
    for kind, (output, key) in STACKS.items():
        template = '{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"%s": {"Value": "s3://%s/%s"}}}'
        boto3.client("cloudformation", region_name=region).create_stack(
            StackName=f"{prefix}-{kind}", TemplateBody=template % (output, name, key)
        )


def report(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("report/index.html")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """The clients that commands create, such as "s3 in eu-west-1", in their order. moto has the stacks."""
    for variable in [name for name in os.environ if name.startswith(("AWS_", "AMAZON_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "development.toml").touch()
    (folder / "qa.toml").write_text(f'region = "{REGION}"\n')
    monkeypatch.setattr(environments, "load", partial(environments.load, folder=folder))
    with mock_aws():
        for region in (REGION, ELSEWHERE):
            for prefix in ("kennel", "kennel-qa"):
                deploy(region, prefix)
        clients: list[str] = []
        create = boto3.Session.client

        def recorded(opened: boto3.Session, service: Any, *arguments: Any, **options: Any) -> Any:
            clients.append(f"{service} in {opened.region_name}")
            return create(opened, service, *arguments, **options)

        monkeypatch.setattr(boto3.Session, "client", recorded)
        yield clients


def run(*words: str) -> Result:
    done = CliRunner().invoke(app, ["--env", "qa", *words])
    assert done.exit_code == 0, done.output or done.exception
    return done


def digest_of(region: str, prefix: str) -> str:
    """The digest that `kennel data version` prints for a bucket that is named to it."""
    return run("data", "version", f"s3://{bucket(region, prefix)}/data").stdout.strip()


def test_data_version(asked: list[str]) -> None:
    printed = run("data", "version").stdout.strip()
    assert asked == [f"cloudformation in {REGION}", f"s3 in {REGION}"]
    assert printed == digest_of(REGION, "kennel-qa")


@pytest.mark.parametrize(
    ("words", "variables"),
    [(("data", "version", "--env", "qa"), {}), (("data", "version"), {"KENNEL_ENV": "qa"})],
    ids=["after the command", "KENNEL_ENV"],
)
def test_an_environment_that_is_named_elsewhere(
    asked: list[str], words: tuple[str, ...], variables: dict[str, str]
) -> None:
    named = CliRunner().invoke(app, words, env=variables)
    assert asked == [f"cloudformation in {REGION}", f"s3 in {REGION}"]
    assert named.stdout == run("data", "version").stdout


def test_data_version_for_cdk(asked: list[str]) -> None:
    options = run("data", "version", "--cdk-options").stdout.split()
    assert set(asked) == {f"{service} in {REGION}" for service in ("cloudformation", "s3", "sts")}
    assert options[1::2] == [
        f"training.data_version={digest_of(REGION, 'kennel-qa')}",
        "kennel.photos_environment=qa",
        "kennel.photos_account=123456789012",  # moto's
        f"kennel.photos_region={REGION}",
    ]


def test_data_upload(asked: list[str], tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", breeds=2)
    printed = "".join(run("data", "upload", str(photos)).stdout.split())
    assert asked == [f"cloudformation in {REGION}", f"s3 in {REGION}"]
    assert f"photossenttos3://{bucket(REGION, 'kennel-qa')}/data" in printed


def test_report(asked: list[str], tmp_path: Path) -> None:
    run("report", "--to", str(tmp_path / "report"))
    assert asked == [f"cloudformation in {REGION}", f"s3 in {REGION}"]
    assert (tmp_path / "report" / "job.html").read_text() == bucket(REGION, "kennel-qa")
