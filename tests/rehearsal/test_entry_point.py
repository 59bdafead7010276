"""A rehearsal starts its hosts as a deploy starts the training container."""

from pathlib import Path

import pytest

from contract.training_container import ARGUMENTS
from rehearsal.hosts.toolkit import Toolkit, run_toolkit_job

TRAIN = """#!/bin/sh
echo "arguments=$# program=$0 parent=$(ps -o args= -p $PPID)"
echo weights > "$SAGEMAKER_BASE_DIR/model/$(basename "$SAGEMAKER_BASE_DIR")"
"""


@pytest.fixture
def train(tmp_path: Path) -> Toolkit:
    """A command `train` that prints how it was started."""
    program = tmp_path / "bin" / "train"
    program.parent.mkdir()
    program.write_text(TRAIN)
    program.chmod(0o755)
    return Toolkit(program)


def log_of(train: Toolkit, folder: Path) -> str:
    run_toolkit_job("train.py", toolkit=train, source=folder, job_dir=folder / "job", hosts=1)
    return (folder / "job" / "logs" / "algo-1.log").read_text()


def test_the_entry_point_becomes_the_train_command_of_the_toolkit(tmp_path: Path, train: Toolkit) -> None:
    """`exec`, so that the toolkit is the container's first process and gets its signals, as without an entry point."""
    line = log_of(train, tmp_path)

    assert line.startswith(f"arguments=0 program={train.train} ")
    assert "exec train" not in line


def test_a_rehearsal_runs_the_entry_point_of_the_deploy(
    tmp_path: Path, train: Toolkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    option, command = ARGUMENTS
    monkeypatch.setattr("rehearsal.hosts.toolkit.ARGUMENTS", (option, f"echo by the entry point; {command}"))

    assert log_of(train, tmp_path).startswith("by the entry point\narguments=0")
