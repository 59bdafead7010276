"""`make ami`: pin the host's image, so that it changes only on request."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.ami import PARAMETER, SETTING, LookupFailedError, Resolve, pin, unpin
from tests.infra.conftest import ROOT, load_settings


def newest(image: str) -> Resolve:
    def resolve(parameter: str) -> tuple[str, str]:
        assert parameter == PARAMETER
        return "eu-west-1", image

    return resolve


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return tmp_path / "cdk.context.json"


def test_the_app_reads_the_pin_as_a_setting(context: Path) -> None:
    message = pin(context, newest("ami-0123456789abcdef0"))
    assert load_settings(json.loads(context.read_text())).workbench.host_image == "ami-0123456789abcdef0"
    assert "replaces the training host" in message
    assert "eu-west-1 only" in message


def test_other_context_is_kept(context: Path) -> None:
    context.write_text('{"availability-zones:account=1": ["a"]}')
    pin(context, newest("ami-0123456789abcdef0"))
    unpin(context)
    assert json.loads(context.read_text()) == {"availability-zones:account=1": ["a"]}


def test_the_newest_image_is_not_pinned_twice(context: Path) -> None:
    pin(context, newest("ami-0123456789abcdef0"))
    written = context.stat().st_mtime_ns
    assert "already pinned" in pin(context, newest("ami-0123456789abcdef0"))
    assert context.stat().st_mtime_ns == written


def test_unpinning_deletes_an_empty_context_file(context: Path) -> None:
    pin(context, newest("ami-0123456789abcdef0"))
    assert "no longer pinned" in unpin(context)
    assert not context.exists()
    assert unpin(context) == "No image is pinned."


def test_nothing_changes_if_aws_cannot_be_asked(context: Path) -> None:
    def unreachable(parameter: str) -> tuple[str, str]:
        raise LookupFailedError("no")

    with pytest.raises(LookupFailedError):
        pin(context, unreachable)
    assert not context.exists()


@pytest.mark.parametrize("region", ["", "eu-west-1"])
def test_missing_credentials_give_a_one_line_error(tmp_path: Path, region: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.ami"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            **({"AWS_DEFAULT_REGION": region} if region else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("kennel: The newest image could not be read from AWS")
    assert "needs credentials and a region" in line
    assert list(tmp_path.iterdir()) == []


def test_the_committed_context_pins_an_image_or_nothing() -> None:
    committed = ROOT / "cdk.context.json"
    if committed.exists():
        assert json.loads(committed.read_text())[SETTING].startswith("ami-")
