"""The idle stop of the notebook instance: what counts as use, and what stops it."""

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stacks.workbench import idle_stop

HOUR = 60.0


class Jupyter:
    """A fake of Jupyter's API."""

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
    """The files and programs of an instance that started three hours ago and has not been used."""

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


def test_an_idle_instance_stops_itself(instance: Instance) -> None:
    assert instance.stopped()
    assert instance.calls.read_text().split() == [
        "sagemaker",
        "stop-notebook-instance",
        "--notebook-instance-name",
        "Notebook-abc",
    ]


def test_an_instance_that_has_just_started_is_not_stopped(instance: Instance) -> None:
    instance.up_for(0)
    assert not instance.stopped()


def test_a_busy_kernel_is_use(instance: Instance) -> None:
    instance.jupyter.kernels = [{"execution_state": "busy", "last_activity": ago(3 * HOUR)}]
    assert not instance.stopped()


@pytest.mark.parametrize(("minutes", "stops"), [(59, False), (61, True)])
def test_a_kernel_counts_until_an_hour_after_its_last_cell(instance: Instance, minutes: float, stops: bool) -> None:
    instance.jupyter.kernels = [{"execution_state": "idle", "last_activity": ago(minutes)}]
    assert instance.stopped() is stops


@pytest.mark.parametrize(("minutes", "stops"), [(59, False), (61, True)])
def test_a_terminal_counts_until_an_hour_after_its_last_line(instance: Instance, minutes: float, stops: bool) -> None:
    instance.jupyter.terminals = [{"name": "1", "last_activity": ago(minutes)}]
    assert instance.stopped() is stops


def test_a_saved_notebook_is_use(instance: Instance) -> None:
    (instance.notebooks / "a.ipynb").touch()
    assert not instance.stopped()


@pytest.mark.parametrize("target", ["user@host.4711:1732700000", "/", "."])
def test_a_link_that_emacs_leaves_does_not_prevent_the_stop(instance: Instance, target: str) -> None:
    (instance.notebooks / ".#a.ipynb").symlink_to(target)
    assert instance.stopped()


def test_a_folder_with_a_notebooks_name_does_not_prevent_the_stop(instance: Instance) -> None:
    (instance.notebooks / "folder.ipynb").mkdir()
    assert instance.stopped()


TOMORROW = -24 * HOUR
"""A future, in minutes ago."""


def test_a_notebook_with_a_time_in_the_future_does_not_prevent_the_stop(instance: Instance) -> None:
    notebook = instance.notebooks / "a.ipynb"
    notebook.touch()
    os.utime(notebook, (time.time() - TOMORROW * 60,) * 2)
    assert instance.stopped()


@pytest.mark.parametrize(
    "last_activity", [pytest.param(ago(TOMORROW), id="tomorrow"), "9999-12-31T23:59:59Z", "yesterday", None]
)
def test_an_activity_of_jupyter_without_a_usable_time_does_not_prevent_the_stop(
    instance: Instance, last_activity: str | None
) -> None:
    instance.jupyter.kernels = [{"execution_state": "idle", "last_activity": last_activity}]
    instance.jupyter.terminals = [{"name": "1", "last_activity": last_activity}, {"name": "2"}]
    assert instance.stopped()


def test_such_an_activity_does_not_hide_the_use_of_another_kernel(instance: Instance) -> None:
    instance.jupyter.kernels = [{"last_activity": None}, {"execution_state": "idle", "last_activity": ago(1)}]
    assert not instance.stopped()


def test_a_clock_that_was_set_back_delays_the_stop_by_no_more_than_the_limit(instance: Instance) -> None:
    instance.up_for(TOMORROW)
    assert not instance.stopped()
    instance.up_for(61)
    assert instance.stopped()


def test_an_unexpected_response_of_jupyter_does_not_prevent_the_stop(instance: Instance) -> None:
    instance.jupyter.kernels = {"message": "Forbidden"}  # type: ignore[assignment]
    assert instance.stopped()


def test_cpu_load_outside_jupyter_is_use(instance: Instance) -> None:
    instance.load(0.9)
    assert not instance.stopped()
    instance.load(0)
    assert not instance.stopped(), "the load ended only a moment ago"


def test_gpu_load_is_use(instance: Instance, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "nvidia-smi"
    program.write_text("#!/bin/bash\necho 97\n")
    program.chmod(0o755)
    assert not instance.stopped()


def test_a_jupyter_that_does_not_answer_does_not_prevent_the_stop(instance: Instance) -> None:
    instance.patch.setattr(idle_stop, "JUPYTER", "http://127.0.0.1:9")
    assert instance.stopped()
