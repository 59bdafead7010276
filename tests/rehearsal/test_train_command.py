"""The stand-in for the toolkit's `train`: how it reads hyperparameters and starts a program."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from rehearsal.hosts.train_command import decoded, options

REPORT = "import json, os, sys; print(json.dumps({'argv': sys.argv[1:], 'env': dict(os.environ)}))"


def train(folder: Path, files: dict[str, str], **hyperparameters: str) -> "subprocess.CompletedProcess[str]":
    """Run `train` on the second of two hosts, with an archive of these files as its source."""
    source = folder / "source"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
        (source / name).chmod(0o755)
    with tarfile.open(folder / "source.tar.gz", "w:gz") as packed:
        packed.add(source, arcname=".")
    for name in ("input/config", "output", "model"):
        (folder / name).mkdir(parents=True)
    configuration = {
        "hyperparameters": {"sagemaker_submit_directory": str(folder / "source.tar.gz"), **hyperparameters},
        "resourceconfig": {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "network_interface_name": "lo"},
        "inputdataconfig": {"photos": {}},
    }
    for name, content in configuration.items():
        (folder / "input" / "config" / f"{name}.json").write_text(json.dumps(content))
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(folder)}
    command = [sys.executable, "-m", "rehearsal.hosts.train_command"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_hyperparameters_become_options_sorted_and_without_the_toolkits_own() -> None:
    given = {"sagemaker_program": "train.py", "rate": 0.1, "e": 3, "on": True, "sizes": {"b": 2, "a": 1}}

    assert options(given) == ["-e", "3", "--on", "True", "--rate", "0.1", "--sizes", "a=1,b=2"]


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("true", True), ('"a"', "a"), ("train.py", "train.py")])
def test_a_hyperparameter_is_json_where_it_can_be(text: str, value: object) -> None:
    assert decoded(text) == value


def test_a_program_gets_the_toolkits_variables(tmp_path: Path) -> None:
    ended = train(tmp_path, {"program.py": REPORT}, sagemaker_program="program.py", epochs="3")
    report = json.loads(ended.stdout.splitlines()[-1])

    assert report["argv"] == ["--epochs", "3"]
    assert report["env"]["SM_CHANNEL_PHOTOS"] == str(tmp_path / "input" / "data" / "photos")
    assert report["env"]["SM_HP_EPOCHS"] == "3"
    assert report["env"]["PYTHONPATH"] == str(tmp_path / "code")


@pytest.mark.parametrize("enabled", [True, False])
def test_only_a_distributed_job_gets_torchruns_variables(tmp_path: Path, enabled: bool) -> None:
    distributed = {"sagemaker_torch_distributed_enabled": "true"} if enabled else {}
    ended = train(tmp_path, {"program.py": REPORT}, sagemaker_program="program.py", **distributed)
    env = json.loads(ended.stdout.splitlines()[-1])["env"]

    found = [env.get(name) for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")]
    assert found == (["1", "2", "algo-1", "7777"] if enabled else [None] * 4)


def test_a_program_that_is_not_python_is_run_by_a_shell(tmp_path: Path) -> None:
    ended = train(tmp_path, {"run.sh": '#!/bin/sh\necho "got $1 $2"\n'}, sagemaker_program="run.sh", epochs="3")

    assert ended.stdout.splitlines()[-1] == "got --epochs 3"


@pytest.mark.parametrize(
    ("program", "code", "failure"),
    [
        ("raise SystemExit(3)", 3, "ExecuteUserScriptError:\nExitCode 3\n"),
        ("import os; os.kill(os.getpid(), 9)", 137, "ExecuteUserScriptError:\nExitCode -9\n"),
        ("open('../output/failure', 'w').write('no dogs'); raise SystemExit(1)", 1, "no dogs"),
    ],
)
def test_a_failed_program_leaves_a_failure_file(tmp_path: Path, program: str, code: int, failure: str) -> None:
    ended = train(tmp_path, {"program.py": program}, sagemaker_program="program.py")

    assert ended.returncode == code
    assert (tmp_path / "output" / "failure").read_text().startswith(failure)


def test_a_missing_program_is_named_in_the_failure_file(tmp_path: Path) -> None:
    ended = train(tmp_path, {"program.py": ""})

    assert ended.returncode == 1
    assert "sagemaker_program" in (tmp_path / "output" / "failure").read_text()


def test_the_sources_requirements_are_not_installed_and_the_log_says_so(tmp_path: Path) -> None:
    files = {"program.py": "", "requirements.txt": "no-such-package==1"}
    ended = train(tmp_path, files, sagemaker_program="program.py")

    assert ended.returncode == 0
    assert "requirements.txt is not installed" in ended.stdout
