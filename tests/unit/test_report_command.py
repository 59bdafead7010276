"""`kennel report`: from the job's output.tar.gz to a page that a browser opens."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.data.aws_errors import BucketError
from ops.model.report import ReportError, fetch_report

BUCKET = "kennel-artifacts"
KEY = "training/artifacts/kennel-0a1b2c/output/output.tar.gz"
URI = f"s3://{BUCKET}/{KEY}"
PAGE = b"<!doctype html><title>Kennel</title>"


def packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def put(s3: Any, content: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)


def deploy(name: str, outputs: Mapping[str, str]) -> None:
    template = {
        "Resources": {"T": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


@pytest.mark.parametrize("name", ["report/index.html", "./report/index.html", "algo-1/report/index.html"])
def test_the_report_of_the_deployed_model_is_named_after_its_job(s3: Any, tmp_path: Path, name: str) -> None:
    put(s3, packed({"metrics.json": b"{}", name: PAGE}))
    deploy("kennel-production-training", {"Report": URI})
    page = fetch_report("", tmp_path / "new", environment="production")
    assert page == tmp_path / "new" / "kennel-0a1b2c.html"
    assert page.read_bytes() == PAGE


def test_the_uri_of_the_artifact_is_accepted_too(s3: Any, tmp_path: Path) -> None:
    put(s3, packed({"report/index.html": PAGE}))
    assert fetch_report(URI.replace("output.tar.gz", "model.tar.gz"), tmp_path).read_bytes() == PAGE


def test_the_command_prints_the_path_of_the_page(s3: Any, tmp_path: Path) -> None:
    put(s3, packed({"report/index.html": PAGE}))
    ended = CliRunner().invoke(app, ["report", URI, "--to", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    assert "kennel-0a1b2c.html" in ended.output.replace("\n", "")


@pytest.mark.parametrize(("option", "shown"), [((), 0), (("--open",), 1)])
def test_the_browser_is_opened_only_with_the_option_open(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...], shown: int
) -> None:
    put(s3, packed({"report/index.html": PAGE}))
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address))  # None: there was no browser
    ended = CliRunner().invoke(app, ["report", URI, "--to", str(tmp_path), *option])
    assert ended.exit_code == 0, ended.output
    assert opened == [(tmp_path / "kennel-0a1b2c.html").as_uri()] * shown
    assert ("Open the page yourself" in ended.output) == bool(shown)


@pytest.mark.parametrize("name", ["../../evil.txt", "/tmp/report/index.html"])
def test_names_in_the_archive_do_not_affect_where_files_are_written(s3: Any, tmp_path: Path, name: str) -> None:
    put(s3, packed({"report/index.html": PAGE, name: b"x"}))
    with pytest.raises(ReportError, match="would be written outside the folder"):
        fetch_report(URI, tmp_path / "a" / "b")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no archive", r"it is not a \.tar\.gz"),
        (packed({"report/index.html": PAGE * 100})[:-30], "it is truncated; download it again"),
        (packed({"other.txt": b""}), "contains no report/index.html"),
    ],
    # An archive's bytes hold the time, and pytest-xdist needs the same names in each worker.
    ids=["no archive", "cut off", "without the page"],
)
def test_an_archive_without_a_report_is_refused(s3: Any, tmp_path: Path, content: bytes, sentence: str) -> None:
    put(s3, content)
    with pytest.raises(ReportError, match=sentence):
        fetch_report(URI, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("uri", ["kennel", "s3://bucket", "s3://bucket/data/", "https://host/output.tar.gz"])
def test_a_uri_that_is_not_a_jobs_output_is_refused_without_a_call_to_aws(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="output Report"):
        fetch_report(uri, tmp_path)


@pytest.mark.usefixtures("s3")
def test_a_deployment_of_a_given_artifact_needs_the_uri_of_its_job(tmp_path: Path) -> None:
    deploy("kennel-training", {})
    with pytest.raises(ReportError, match=r"training\.model_data\. Then name that job's output\.tar\.gz"):
        fetch_report("", tmp_path)


@pytest.mark.usefixtures("s3")
def test_a_missing_stack_a_missing_object_and_a_missing_bucket_are_named(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="stack kennel-training has no output Report"):
        fetch_report("", tmp_path)
    with pytest.raises(ReportError, match=f"There is no {URI}"):
        fetch_report(URI, tmp_path)
    with pytest.raises((ReportError, BucketError), match="no-such-bucket"):
        fetch_report("s3://no-such-bucket/a/output/output.tar.gz", tmp_path)
