"""`make ami`: pin the host's image, so that it changes only on request."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import environments
from environments import EnvironmentRefusedError
from ops.ami import PARAMETER, LookupFailedError, Resolve, pin, unpin
from stacks.settings.parse import load
from tests.infra.conftest import ROOT


def newest(image: str) -> Resolve:
    def resolve(parameter: str) -> tuple[str, str]:
        assert parameter == PARAMETER
        return "eu-west-1", image

    return resolve


FILE = """# an environment
region = "eu-west-1"  # Ireland

[settings.workbench]
zone_index = 1  # the first has no capacity

[settings.api]
memory_mib = 256
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "qa.toml"
    path.write_text(FILE)
    return path


def pinned_in(file: Path) -> str:
    environment = environments.load("qa", file.parent)
    return load(environment, {}).workbench.host_image


def test_the_app_reads_the_pin_as_a_setting(file: Path) -> None:
    message = pin(file, newest("ami-0123456789abcdef0"))
    assert pinned_in(file) == "ami-0123456789abcdef0"
    assert "replaces the training host" in message
    assert "eu-west-1 only" in message


@pytest.mark.parametrize("text", [FILE, "", "[settings.workbench]", 'project = "dogs"'])
def test_the_rest_of_the_file_is_kept_and_unpinning_restores_the_settings(file: Path, text: str) -> None:
    file.write_text(text)
    before = environments.load("qa", file.parent)
    pin(file, newest("ami-0123456789abcdef0"))
    assert set(text.splitlines()) <= set(file.read_text().splitlines())
    pin(file, newest("ami-0fedcba9876543210"))
    assert pinned_in(file) == "ami-0fedcba9876543210"
    assert "no longer pinned" in unpin(file)
    after = environments.load("qa", file.parent)
    assert load(after, {}) == load(before, {})
    assert set(text.splitlines()) <= set(file.read_text().splitlines())


def test_the_newest_image_is_not_pinned_twice(file: Path) -> None:
    pin(file, newest("ami-0123456789abcdef0"))
    written = file.stat().st_mtime_ns
    assert "already pinned" in pin(file, newest("ami-0123456789abcdef0"))
    assert file.stat().st_mtime_ns == written


def test_without_a_pin_there_is_nothing_to_remove(file: Path) -> None:
    assert unpin(file) == "No image is pinned."
    assert file.read_text() == FILE


def test_a_file_that_sets_the_image_in_another_form_is_refused_and_stays(file: Path) -> None:
    file.write_text('settings = { workbench = { host_image = "ami-0aaaaaaaaaaaaaaaa" } }\n')
    before = file.read_text()
    with pytest.raises(EnvironmentRefusedError, match=r"move it there"):
        unpin(file)
    assert file.read_text() == before


def test_nothing_changes_if_aws_cannot_be_asked(file: Path) -> None:
    def unreachable(parameter: str) -> tuple[str, str]:
        raise LookupFailedError("no")

    with pytest.raises(LookupFailedError):
        pin(file, unreachable)
    assert file.read_text() == FILE


@pytest.mark.parametrize("region", ["", "eu-west-1"])
def test_missing_credentials_give_a_one_line_error(tmp_path: Path, region: str) -> None:
    before = {path.name: path.read_text() for path in environments.FOLDER.glob("*.toml")}
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
    assert {path.name: path.read_text() for path in environments.FOLDER.glob("*.toml")} == before
