"""A rehearsal calls this machine alone, whatever account the operator's shell names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from tests.rehearsal.deployments import REPOSITORY, SHORT, command, few_photos, variables

ALONE = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-m", "tests.rehearsal.watched_network"]
CALL = "import socket; s = socket.socket(); s.settimeout(1); s.connect(('192.0.2.1', 443))"


@pytest.fixture(autouse=True)
def namespaces(tmp_path: Path) -> None:
    try:
        with Namespaces(tmp_path / "network"):
            pass
    except NamespacesRefusedError as error:
        pytest.skip(str(error))


def watched(words: list[str], place: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command with a shell's variables for another account."""
    environment = {**variables(place / "tmp"), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [*ALONE, *words], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


def test_a_call_to_another_machine_is_seen(tmp_path: Path) -> None:
    ended = watched([sys.executable, "-c", CALL], tmp_path)
    assert json.loads(ended.stdout.splitlines()[-1]) == ["192.0.2.1"]


@pytest.mark.slow
def test_a_rehearsal_sends_nothing_to_another_machine(tmp_path: Path) -> None:
    photos = few_photos(tmp_path / "photos")
    ended = watched(command(tmp_path / "rehearsal", "--data", str(photos), *SHORT), tmp_path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1]) == []
