"""The notebook instance: what it runs at each start, when it stops itself, and the notebook on it."""

import ast
import base64
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stacks.workbench import idle_stop
from tests.infra.conftest import ROOT, Assembly, Synthesise
from tests.infra.templates import joined

HOUR = 60.0


def on_start(assembly: Assembly) -> str:
    """The script as CloudFormation would hand it over."""
    (hook,) = assembly.only("AWS::SageMaker::NotebookInstanceLifecycleConfig")["OnStart"]
    script, values = hook["Content"]["Fn::Base64"]["Fn::Sub"]
    for name, value in values.items():
        text = value if isinstance(value, str) else re.sub("[<>]", "", joined(value))
        script = script.replace(f"${{{name}}}", text)
    return str(script)


def test_the_script_is_one_that_bash_accepts_and_sagemaker_takes(development: Assembly) -> None:
    script = on_start(development)
    assert "${" not in script
    assert len(base64.b64encode(script.encode())) < 16384
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_instance_has_no_root_and_writes_no_shared_log_group(development: Assembly) -> None:
    assert development.only("AWS::SageMaker::NotebookInstance")["RootAccess"] == "Disabled"
    mine = [
        resource
        for logical_id, resource in development.raw("Workbench")["Resources"].items()
        if "Notebook" in logical_id
    ]
    assert "logs:" not in json.dumps(mine)


def test_it_may_stop_itself_and_no_other(development: Assembly) -> None:
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
    """Runs the start script with its folders under tmp_path, and stand-ins for `aws` and systemd."""
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


def test_a_start_puts_code_notebook_and_addresses_in_the_home_folder(
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


def test_the_next_start_keeps_what_was_changed(
    host: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    host()
    mine = tmp_path / "SageMaker" / "kennel" / "kennel.ipynb"
    mine.write_text("mine")
    assert host().returncode == 0
    assert mine.read_text() == "mine"


def test_without_its_code_the_instance_still_starts_and_still_stops_itself(
    host: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """A script that fails would leave the instance Failed, out of reach."""
    assert host(BROKEN="1").returncode == 0
    assert (tmp_path / "timer").exists()
    assert not (tmp_path / "SageMaker" / "kennel" / "training").exists()


class Jupyter:
    """Answers as Jupyter's API does."""

    def __init__(self) -> None:
        self.kernels: list[dict[str, Any]] = []
        self.terminals: list[dict[str, Any]] = []
        jupyter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(getattr(jupyter, self.path.rpartition("/")[2])).encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


class Instance:
    """An instance that started so long ago, and has been used by nobody since."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, jupyter: Jupyter) -> None:
        self.jupyter = jupyter
        self.patch = patch
        self.calls = folder / "calls"
        self.notebooks = folder / "SageMaker"
        self.notebooks.mkdir()
        self.started = folder / "started"
        self.started.touch()
        metadata = folder / "metadata.json"
        metadata.write_text('{"ResourceName": "Notebook-abc"}')
        programs = folder / "bin"
        programs.mkdir()
        (programs / "aws").write_text(f'#!/bin/bash\necho "$@" > {self.calls}\n')
        (programs / "aws").chmod(0o755)
        patch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        for name, value in {
            "JUPYTER": jupyter.url,
            "NOTEBOOKS": self.notebooks,
            "METADATA": metadata,
            "STARTED": self.started,
        }.items():
            patch.setattr(idle_stop, name, value)
        self.load(0)
        self.up_for(3 * HOUR)

    def load(self, value: float) -> None:
        self.patch.setattr(os, "getloadavg", lambda: (value, value, value))

    def up_for(self, minutes: float) -> None:
        then = time.time() - minutes * 60
        os.utime(self.started, (then, then))

    def stopped(self) -> bool:
        idle_stop.main(HOUR)
        return self.calls.exists()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    jupyter = Jupyter()
    yield Instance(tmp_path, monkeypatch, jupyter)
    jupyter.server.shutdown()
    jupyter.server.server_close()


def ago(minutes: float) -> str:
    moment = datetime.fromtimestamp(time.time() - minutes * 60, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_an_idle_instance_stops_itself_by_its_name(instance: Instance) -> None:
    assert instance.stopped()
    assert instance.calls.read_text().split() == [
        "sagemaker",
        "stop-notebook-instance",
        "--notebook-instance-name",
        "Notebook-abc",
    ]


def test_one_that_has_just_started_is_left_alone(instance: Instance) -> None:
    instance.started.unlink()
    assert not instance.stopped()


def test_one_with_a_busy_kernel_is_left_alone(instance: Instance) -> None:
    instance.jupyter.kernels = [{"execution_state": "busy", "last_activity": ago(3 * HOUR)}]
    assert not instance.stopped()


@pytest.mark.parametrize(("minutes", "stops"), [(59, False), (61, True)])
def test_a_kernel_counts_from_its_last_cell(instance: Instance, minutes: float, stops: bool) -> None:
    instance.jupyter.kernels = [{"execution_state": "idle", "last_activity": ago(minutes)}]
    assert instance.stopped() is stops


@pytest.mark.parametrize(("minutes", "stops"), [(59, False), (61, True)])
def test_a_terminal_counts_from_its_last_line(instance: Instance, minutes: float, stops: bool) -> None:
    instance.jupyter.terminals = [{"name": "1", "last_activity": ago(minutes)}]
    assert instance.stopped() is stops


def test_a_notebook_that_was_just_saved_counts(instance: Instance) -> None:
    (instance.notebooks / "a.ipynb").touch()
    assert not instance.stopped()


def test_work_that_jupyter_does_not_know_of_counts(instance: Instance) -> None:
    instance.load(0.9)
    assert not instance.stopped()
    instance.load(0)
    assert not instance.stopped(), "what worked a moment ago is not idle for an hour"


def test_a_working_gpu_counts(instance: Instance, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.write_text("#!/bin/bash\necho 97\n")
    program.chmod(0o755)
    assert not instance.stopped()


def test_a_jupyter_that_does_not_answer_keeps_nothing_running(instance: Instance) -> None:
    instance.patch.setattr(idle_stop, "JUPYTER", "http://127.0.0.1:9")
    assert instance.stopped()


NOTEBOOK = json.loads((ROOT / "notebooks" / "kennel.ipynb").read_text())


def test_the_notebook_is_valid_nbformat() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert set(NOTEBOOK) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in NOTEBOOK["cells"]:
        extra = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"id", "cell_type", "metadata", "source"} | extra


def test_the_notebooks_cells_compile_and_were_saved_without_output() -> None:
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 4
    for cell in cells:
        ast.parse("".join(cell["source"]))
        assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_the_notebook_asks_for_no_address_that_its_start_does_not_write(development: Assembly) -> None:
    (hook,) = development.only("AWS::SageMaker::NotebookInstanceLifecycleConfig")["OnStart"]
    written = json.loads(joined(hook["Content"]["Fn::Base64"]["Fn::Sub"][1]["Deployment"]))
    code = "\n".join("".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code")
    asked = {
        node.slice.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "deployment"
        and isinstance(node.slice, ast.Constant)
    }
    assert asked
    assert asked <= set(written)
