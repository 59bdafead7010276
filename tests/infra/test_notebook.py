"""The notebook instance: its rights, and the script that it runs at each start."""

import base64
import getpass
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from stacks.workbench import idle_stop
from tests.infra.conftest import ROOT, Assembly, Synthesise
from tests.infra.templates import joined
from tests.patience import PATIENCE_S
from tests.security.container_root import LAUNCHER, missing


def on_start(assembly: Assembly) -> str:
    """The start script, after CloudFormation's substitution."""
    (hook,) = assembly.only("AWS::SageMaker::NotebookInstanceLifecycleConfig")["OnStart"]
    script, values = hook["Content"]["Fn::Base64"]["Fn::Sub"]
    for name, value in values.items():
        text = value if isinstance(value, str) else re.sub("[<>]", "", joined(value))
        script = script.replace(f"${{{name}}}", text)
    return str(script)


def test_the_start_script_is_valid_bash_and_within_sagemakers_size_limit(development: Assembly) -> None:
    script = on_start(development)
    assert "${" not in script
    assert len(base64.b64encode(script.encode())) < 16384
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_instance_has_no_root_access_and_no_right_to_write_logs(development: Assembly) -> None:
    assert development.only("AWS::SageMaker::NotebookInstance")["RootAccess"] == "Disabled"
    mine = [
        resource
        for logical_id, resource in development.raw("Workbench")["Resources"].items()
        if "Notebook" in logical_id
    ]
    assert "logs:" not in json.dumps(mine)


def test_it_may_stop_only_itself(development: Assembly) -> None:
    ((_, instance, _),) = development.resources("AWS::SageMaker::NotebookInstance")
    (stop,) = [
        policy["Properties"]["PolicyDocument"]["Statement"]
        for _, logical_id, policy in development.resources("AWS::IAM::Policy")
        if "StopItself" in logical_id
    ]
    assert [(s["Action"], s["Resource"]) for s in stop] == [("sagemaker:StopNotebookInstance", {"Ref": instance})]


def test_idle_stop_can_be_turned_off(synthesise: Synthesise) -> None:
    off = synthesise(("workbench.notebook_idle_stop_min", 0))
    assert "StopNotebookInstance" not in json.dumps(
        off.raw("Workbench")["Resources"]["NotebookRoleDefaultPolicy9D8DE785"]
    )
    assert "if [ 0 -gt 0 ]" in on_start(off)


@dataclass(frozen=True)
class Instance:
    """The start script with its folders in `folder`, and with stand-ins for `aws` and systemd."""

    folder: Path
    script: str

    @property
    def home(self) -> Path:
        return self.folder / "home" / "SageMaker" / "kennel"

    @property
    def program(self) -> Path:
        return self.folder / "bin" / "kennel-idle-stop"

    @property
    def timer(self) -> str:
        return (self.folder / "timer").read_text()

    def start(self, *launcher: str, **environment: str) -> int:
        """Run the script as root does, or as this user where the tests do not run as root. Returns its exit code."""
        given = {"PATH": os.environ["PATH"], **environment}
        command = [*launcher, "bash", "-c", self.script]
        return subprocess.run(command, env=given, cwd=ROOT, timeout=PATIENCE_S, check=False).returncode


def instance(folder: Path, assembly: Assembly, user: str) -> Instance:
    """`user` takes the place of ec2-user."""
    (archive,) = assembly.folder.glob("asset.*.tar.gz")
    shutil.copy(archive, folder / "code.tar.gz")
    aws = f"""
        if [ $1 = ssm ]; then echo s3://assets/$4; exit; fi
        if [ -n "$BROKEN" ]; then exit 1; fi
        if [ "$5" = - ]; then cat "{folder}/code.tar.gz"; else cp "{ROOT}/notebooks/kennel.ipynb" "$5"; fi
    """
    programs = {"aws": aws, "systemd-run": f'echo "$@" > "{folder}/timer"'}
    if os.geteuid() != 0:  # runuser is for root alone
        programs["runuser"] = 'shift 3; exec "$@"'
    (folder / "bin").mkdir()
    (folder / "home" / "SageMaker").mkdir(parents=True)
    for name, body in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / "bin" / name).chmod(0o755)
    return Instance(folder, moved(on_start(assembly), folder, user))


def moved(script: str, folder: Path, user: str) -> str:
    """The script with the instance's folders in `folder`."""
    for old, new in {
        "/home/ec2-user": f"{folder}/home",
        "-o ec2-user": f"-o {user}",
        "-u ec2-user": f"-u {user}",
        "/run/": f"{folder}/",
        "PATH=/usr/local/sbin": f"PATH={folder}/bin:/usr/local/sbin",
        "/usr/local/bin/kennel": f"{folder}/bin/kennel",
    }.items():
        script = script.replace(old, new)
    return script


@pytest.fixture
def host(tmp_path: Path, development: Assembly) -> Instance:
    return instance(tmp_path, development, getpass.getuser())


def test_a_start_copies_code_notebook_and_deployment_to_the_home_folder(host: Instance) -> None:
    assert host.start() == 0
    assert (host.home / "training" / "train.py").exists()
    assert json.loads((host.home / "kennel.ipynb").read_text())["nbformat"] == 4
    deployment = json.loads((host.home / "deployment.json").read_text())
    assert deployment["endpoint"] == "pytorch-dog-classifier-multi-instance"


def test_a_start_begins_the_idle_stop_as_the_user(host: Instance) -> None:
    assert host.start() == 0
    assert host.timer.strip().endswith("kennel-idle-stop 60")
    assert "--uid ec2-user" in host.timer
    written = moved(Path(idle_stop.__file__).read_text(), host.folder, getpass.getuser())
    assert host.program.read_text().strip() == written.strip()
    assert (host.folder / idle_stop.STARTED.name).stat().st_size == 0


def test_the_next_start_keeps_changed_files(host: Instance) -> None:
    host.start()
    (host.home / "kennel.ipynb").write_text("mine")
    assert host.start() == 0
    assert (host.home / "kennel.ipynb").read_text() == "mine"


def test_a_failed_download_does_not_prevent_start_and_idle_stop(host: Instance) -> None:
    """If the script failed, the instance would be in status Failed."""
    assert host.start(BROKEN="1") == 0
    assert host.timer
    assert not (host.home / "training").exists()


def test_a_log_that_cannot_be_written_prevents_neither_start_nor_idle_stop(host: Instance) -> None:
    host.home.mkdir()
    (host.home / "setup.log").mkdir()
    assert host.start() == 0
    assert host.timer


def test_a_log_that_blocks_prevents_neither_start_nor_idle_stop(host: Instance) -> None:
    host.home.mkdir()
    os.mkfifo(host.home / "setup.log")
    assert replace(host, script=host.script.replace("timeout -k 5 240", "timeout -k 1 1")).start() == 0
    assert host.timer


@pytest.fixture
def other_user(development: Assembly) -> Iterator[Instance]:
    """An instance whose start script is run by root, and whose home folder belongs to an ordinary user."""
    if reason := missing():
        pytest.skip(f"no script can be run as root: {reason}")
    with tempfile.TemporaryDirectory() as name:  # pytest's folders are closed to other users
        Path(name).chmod(0o755)
        made = instance(Path(name), development, "nobody")
        give = [*LAUNCHER, "chown", "-R", "nobody", f"{name}/home"]
        subprocess.run(give, cwd=ROOT, check=True)
        yield made
        subprocess.run([*LAUNCHER, "chown", "-R", "root", f"{name}/home"], cwd=ROOT, check=True)


@pytest.mark.parametrize("link", ["setup.log", "deployment.json", "kennel.ipynb", "training", ""])
def test_a_link_of_the_user_leads_root_nowhere(other_user: Instance, link: str) -> None:
    """The user has no root access. The script of root must not give it."""
    theirs, folder = other_user.home, other_user.folder / "roots"
    folder.mkdir()
    (folder / "file").write_text("root's")
    target = folder if link in ("", "training") else folder / "file" if link != "kennel.ipynb" else folder / "new"
    plant = (
        f"mkdir -p {theirs.parent} && " + (f"mkdir {theirs} && " if link else "") + f"ln -s {target} {theirs / link}"
    )
    subprocess.run([*LAUNCHER, "runuser", "-u", "nobody", "--", "bash", "-c", plant], cwd=ROOT, check=True)
    before = seen(folder)

    assert other_user.start(*LAUNCHER) == 0
    assert seen(folder) == before
    assert other_user.timer


def seen(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Owner, mode and content of everything below the folder, and of the folder."""
    return {
        str(path): (path.stat().st_uid, path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


def test_a_start_by_root_copies_for_the_user(other_user: Instance) -> None:
    assert other_user.start(*LAUNCHER) == 0
    for name in ("training/train.py", "kennel.ipynb", "deployment.json", "setup.log"):
        assert (other_user.home / name).stat().st_uid == other_user.home.parent.stat().st_uid != os.geteuid()
