"""The notebook instance: its rights, and the script that it runs at each start."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.workbench import idle_stop
from tests.infra.conftest import ROOT, Assembly, Synthesise
from tests.infra.templates import joined


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


@pytest.fixture
def host(tmp_path: Path, development: Assembly) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the start script with its folders under tmp_path, and with fakes of `aws` and systemd-run."""
    (archive,) = development.folder.glob("asset.*.tar.gz")
    aws = f"""
        if [ $1 = ssm ]; then echo s3://assets/$4; exit; fi
        if [ -n "$BROKEN" ]; then exit 1; fi
        if [ "$5" = - ]; then cat "{archive}"; else cp "{ROOT}/notebooks/kennel.ipynb" "$5"; fi
    """
    programs = {
        "aws": aws,
        "systemd-run": f'echo "$@" > "{tmp_path}/timer"',
        "chown": "true",
    }
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o755)
    script = on_start(development).replace("/home/ec2-user", str(tmp_path)).replace("/usr/local/bin/", f"{folder}/")

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{folder}:{os.environ['PATH']}"
        return subprocess.run(["bash", "-c", script], env={"PATH": path, **environment}, text=True, check=False)

    return run


def test_a_start_copies_code_notebook_and_deployment_to_the_home_folder(
    host: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert host().returncode == 0
    home = tmp_path / "SageMaker" / "kennel"
    assert (home / "training" / "train.py").exists()
    assert json.loads((home / "kennel.ipynb").read_text())["nbformat"] == 4
    deployment = json.loads((home / "deployment.json").read_text())
    assert deployment["endpoint"] == "pytorch-dog-classifier-multi-instance"
    assert (tmp_path / "timer").read_text().strip().endswith("kennel-idle-stop 60")
    program = (tmp_path / "bin" / "kennel-idle-stop").read_text().replace(str(tmp_path), "/home/ec2-user")
    assert program.strip() == Path(idle_stop.__file__).read_text().strip()


def test_the_next_start_keeps_changed_files(
    host: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    host()
    mine = tmp_path / "SageMaker" / "kennel" / "kennel.ipynb"
    mine.write_text("mine")
    assert host().returncode == 0
    assert mine.read_text() == "mine"


def test_a_failed_download_does_not_prevent_start_and_idle_stop(
    host: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """If the script failed, the instance would be in status Failed."""
    assert host(BROKEN="1").returncode == 0
    assert (tmp_path / "timer").exists()
    assert not (tmp_path / "SageMaker" / "kennel" / "training").exists()
