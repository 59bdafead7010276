"""A local AWS listens on the loopback interface, writes into its own folder, and never survives its owner."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from rehearsal.cloud import local
from rehearsal.cloud.local import LocalAws, NotInstalledError
from rehearsal.cloud.own_folder import MARK, FolderRefusedError, own_folder
from tests.cloud.conftest import ECHO, Client
from tests.cloud.processes import listening, processes_of
from tests.patience import PATIENCE_S
from tests.rehearsal.still_running import gone_in_time

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
SLOW = pytest.mark.slow
LOOPBACK = "0100007F"
"""127.0.0.1 in /proc/net/tcp."""

OWNER = """
import sys
from pathlib import Path
from rehearsal.cloud.local import LocalAws

with LocalAws(Path(sys.argv[1]), images=Path(sys.argv[2])) as aws:
    print(aws.settings.port, flush=True)
    sys.stdin.read()
"""


@LINUX
def test_it_opens_one_port_and_on_the_loopback_interface(local_aws: LocalAws) -> None:
    """Without its settings the engine listens on every interface, and for MQTT on port 8883."""
    assert (LOOPBACK, local_aws.settings.port) in listening(processes_of(local_aws.folder))
    assert {address for address, _ in listening(processes_of(local_aws.folder))} == {LOOPBACK}


def test_what_the_engine_writes_stays_in_its_folder(local_aws: LocalAws) -> None:
    name = f"ministack-{local_aws.settings.port}.pid"

    assert (local_aws.folder / "tmp" / name).exists()
    assert not (Path(tempfile.gettempdir()) / name).exists()


@pytest.mark.parametrize("key", ["test", "000000000000", "AKIAIOSFODNN7EXAMPLE"])
def test_another_key_than_its_own_is_refused(client: Client, key: str) -> None:
    """The engine accepts several keys as the root user's, such as `test` or an account id."""
    s3 = client("s3", aws_access_key_id=key, aws_secret_access_key="test")

    with pytest.raises(ClientError, match=r"\(InvalidAccessKeyId\)"):
        s3.list_buckets()


def test_a_call_without_a_signature_is_refused(local_aws: LocalAws) -> None:
    factory: Any = boto3.client
    unsigned = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    iam = factory("iam", endpoint_url=local_aws.url, region_name="us-east-1", config=unsigned)

    with pytest.raises(ClientError, match=r"\(MissingAuthenticationToken\)"):
        iam.list_roles()


def test_the_example_of_its_docstring_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images.toml").write_text((ECHO / "images.toml").read_text())
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "aws").write_text(
        f"#!{sys.executable}\nimport boto3\nprint(boto3.client('s3').list_buckets()['Buckets'])\n"
    )
    (commands / "aws").chmod(0o755)
    example = textwrap.dedent((LocalAws.__doc__ or "").partition("`variables`:")[2])
    program = (
        f"import os, subprocess, boto3\nfrom pathlib import Path\nfrom rehearsal.cloud.local import LocalAws\n{example}"
    )

    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )

    assert ended.returncode == 0, ended.stderr
    assert "'Name': 'photos'" in ended.stdout


@LINUX
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=SLOW), pytest.param(signal.SIGINT, marks=SLOW)]
)
def test_nothing_of_it_survives_its_owner(how: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "aws"), str(ECHO / "images.toml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        pids = processes_of(tmp_path / "aws")
        assert pids
        assert (LOOPBACK, port) in listening(pids)
        owner.send_signal(how)
        owner.wait(PATIENCE_S)

    assert gone_in_time(pids)
    assert processes_of(tmp_path / "aws") == set()
    assert list(Path(tempfile.gettempdir()).glob(f"ministack-{port}*")) == []
    with LocalAws(tmp_path / "aws", images=ECHO / "images.toml"):  # the folder can be used again
        pass


def test_without_its_engine_it_says_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PYTHON", tmp_path / "no" / "python")

    with (
        pytest.raises(NotInstalledError, match=r"no/python does not exist\. Run `make setup`\."),
        a_local_aws(tmp_path),
    ):
        pass


def test_without_its_npm_packages_it_says_what_installs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package.json").write_text((local.NODE_PACKAGES.parent / "package.json").read_text())
    monkeypatch.setattr(local, "NODE_PACKAGES", tmp_path / "node_modules")

    sentence = r"cannot run functions for Node\.js: .* has no @aws-sdk/client-\w+\. Run `make setup`\."
    with pytest.raises(NotInstalledError, match=sentence), a_local_aws(tmp_path):
        pass


@pytest.mark.parametrize("others", [(), ("tmp", "cdk", "logs")], ids=["a thesis", "a project with such folders"])
def test_a_folder_with_other_files_is_not_emptied(tmp_path: Path, others: tuple[str, ...]) -> None:
    thesis = tmp_path / "aws" / "thesis.tex"
    for name in others:
        (thesis.parent / name).mkdir(parents=True)
    thesis.parent.mkdir(exist_ok=True)
    thesis.write_text("years")

    with (
        pytest.raises(FolderRefusedError, match="has other files, which a local AWS would delete"),
        a_local_aws(tmp_path),
    ):
        pass
    assert thesis.read_text() == "years"


def test_the_folder_of_a_local_aws_that_runs_is_not_emptied(local_aws: LocalAws) -> None:
    second = LocalAws(local_aws.folder, images=ECHO / "images.toml")

    with (
        pytest.raises(FolderRefusedError, match=r"Another local AWS runs in .*: end it, or name another folder\."),
        second,
    ):
        pass
    assert (local_aws.folder / "calls.jsonl").exists()


def test_what_an_earlier_local_aws_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    with own_folder(tmp_path / "aws"):
        (tmp_path / "aws" / "logs").mkdir()
        (tmp_path / "aws" / "calls.jsonl").touch()
        (tmp_path / "aws" / "link").symlink_to(tmp_path / "elsewhere")

    with own_folder(tmp_path / "aws"):
        assert [each.name for each in (tmp_path / "aws").iterdir()] == [MARK]
    assert (tmp_path / "elsewhere" / "file").exists()


def test_a_port_in_use_is_refused(local_aws: LocalAws, tmp_path: Path) -> None:
    """The engine that has it would answer in place of the new one."""
    second = LocalAws(tmp_path / "aws", images=ECHO / "images.toml", port=local_aws.settings.port)

    with pytest.raises(ValueError, match="is in use by another process: end that process, or choose another"), second:
        pass


def test_the_engine_gets_no_setting_of_the_user_s_shell(local_aws: LocalAws) -> None:
    shell = {"PATH": "/bin", "USE_SSL": "1", "SERVICES": "s3", "HTTP_PROXY": "http://proxy", "AWS_PROFILE": "company"}

    found = local_aws.settings.variables(shell)

    assert found["PATH"] == "/bin"
    assert not {"USE_SSL", "SERVICES", "HTTP_PROXY", "AWS_PROFILE"} & set(found)


def a_local_aws(folder: Path) -> LocalAws:
    return LocalAws(folder / "aws", images=ECHO / "images.toml")


def test_the_lock_of_the_npm_packages_names_no_registry() -> None:
    lock = (local.NODE_PACKAGES.parent / "package-lock.json").read_text()

    assert lock.count('"integrity"') > 20
    assert re.findall(r'"resolved"|https?://[^"]*\.tgz', lock) == []
