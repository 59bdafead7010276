"""`make ami`: pin the host's image, so that it changes only on request."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import environments
from environments import EnvironmentRefusedError
from ops.ami import PARAMETER, LookupFailedError, Resolve, pin, unpin
from stacks.settings.parse import load
from tests.infra.conftest import ROOT
from tests.packages import groups_of, install, planned


def newest(image: str) -> Resolve:
    def resolve(parameter: str) -> tuple[str, str]:
        assert parameter == PARAMETER
        return "eu-west-1", image

    return resolve


OLD = "ami-0aaaaaaaaaaaaaaaa"
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


@pytest.mark.parametrize(
    "change", [lambda file: pin(file, newest("ami-0123456789abcdef0")), unpin], ids=["pin", "unpin"]
)
@pytest.mark.parametrize(
    "text",
    [
        f'settings = {{ workbench = {{ host_image = "{OLD}" }} }}',
        f'[settings]\nworkbench = {{ host_image = "{OLD}" }}',
        f'[settings]\nworkbench.host_image = "{OLD}"',
        f'[settings.workbench]\nhost_image = """\\\n{OLD}"""',
        f'[settings.workbench]\n"host_image" = "{OLD}"',
        f'x = """\n[settings.workbench]\nhost_image = "x"\n"""\n[settings.workbench]\nhost_image = "{OLD}"',
    ],
)
def test_a_file_that_sets_the_image_in_another_form_is_refused_and_stays(
    file: Path, text: str, change: Callable[[Path], str]
) -> None:
    file.write_text(text)
    with pytest.raises(
        EnvironmentRefusedError, match=r"environments/qa\.toml has .*move it there.*Nothing was changed"
    ):
        change(file)
    assert file.read_text() == text


@pytest.mark.parametrize("text", ["settings = 5", "[settings]\nworkbench = 5"])
def test_a_section_that_is_no_table_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(EnvironmentRefusedError, match=r"environments/qa\.toml: .* is 5, but must be a table"):
        pin(file, newest("ami-0123456789abcdef0"))


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("last", ["", "\n"], ids=["no line end at the end", "a line end at the end"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_every_other_character_of_the_file_stays(file: Path, end: str, mark: str, last: str, quote: str) -> None:
    """The comment of the setting's own line, and the line ends, too."""
    text = f"{mark}{FILE}\n[settings.serving.scaling]\nmax_instances = 2{last}"
    pinned = text.replace("zone_index", f"  host_image =  {quote}{OLD}{quote}  # since May\nzone_index")
    file.write_bytes(pinned.replace("\n", end).encode())
    pin(file, newest("ami-0123456789abcdef0"))
    expected = pinned.replace(f"{quote}{OLD}{quote}", '"ami-0123456789abcdef0"')
    assert file.read_bytes().decode() == expected.replace("\n", end)
    unpin(file)
    assert file.read_bytes().decode() == text.replace("zone_index", "# since May\nzone_index").replace("\n", end)


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_new_line_ends_like_the_others(file: Path, end: str) -> None:
    file.write_bytes(FILE.replace("\n", end).encode())
    pin(file, newest("ami-0123456789abcdef0"))
    assert file.read_bytes().count(end.encode()) == file.read_bytes().count(b"\n") == FILE.count("\n") + 1
    unpin(file)
    assert file.read_bytes().decode() == FILE.replace("\n", end)


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


def test_it_needs_only_the_packages_of_the_deploy_group(tmp_path: Path) -> None:
    """Those of a rehearsal include torch: gigabytes, for one call of AWS."""
    groups = groups_of(planned("make ami"))
    assert groups == ["deploy"]

    start = (
        "import runpy, sys; sys.path[:0] = sys.argv.pop(1).split(':'); runpy.run_module('ops.ami', run_name='__main__')"
    )
    (tmp_path / "site").mkdir()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start, f"{ROOT}:{install(groups, tmp_path / 'site')}"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "eu-west-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("kennel: The newest image could not be read from AWS: Unable to locate credentials")
