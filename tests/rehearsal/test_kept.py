"""`kennel rehearse --keep`: the commands that it prints work in a shell that had another account."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.builders import any_photo, write_artifact
from tests.rehearsal.deployments import (
    OF_ANOTHER_ACCOUNT,
    REPOSITORY,
    check_nothing_is_left,
    few_photos,
    printed_until,
    started,
    variables,
)

pytestmark = pytest.mark.slow

LAST_LINE = "Ctrl-C here ends it"
UNASKED = 'make() { command make -o node_modules/.installed -o .venv/.installed-deploy YES=1 "$@"; }'
"""No terminal, so no question; and what is installed is not installed a second time."""
MEMORY = f"""{sys.executable} -c '
import boto3
print([each["MemorySize"] for each in boto3.client("lambda").list_functions()["Functions"]])'"""
DEPLOY_S = 1200


def in_a_shell(commands: list[str], temporary: Path) -> "subprocess.CompletedProcess[str]":
    """Run the commands in one shell of an operator of another account, until one fails."""
    return subprocess.run(
        ["bash", "-c", "\n".join(["set -e", UNASKED, *commands])],
        cwd=REPOSITORY,
        env=variables(temporary, OF_ANOTHER_ACCOUNT),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEPLOY_S,
        check=False,
    )


def test_the_printed_commands_deploy_and_destroy(tmp_path: Path) -> None:
    photos, model, folder = few_photos(tmp_path / "photos"), write_artifact(tmp_path / "model"), tmp_path / "rehearsal"
    words = ["--data", str(photos), "--model", str(model), "--photos", "2", "--keep"]
    with started(folder, *words) as run:
        printed = printed_until(LAST_LINE, run)
        source, deploy, destroy = (
            re.findall(rf"^  ({command} .*?)  # ", printed, re.MULTILINE)[0]
            for command in ("source", "make deploy", "make destroy")
        )
        (page,) = re.findall(r"The page: .*\n\n  (\S+)", printed)
        assert "<h1>Which breed is this dog?</h1>" in httpx.get(page).text
        headers = {"Content-Type": "image/jpeg"}
        answer = httpx.post(f"{page}predict?top_k=2", content=any_photo(), headers=headers, timeout=60)
        assert len(answer.json()["predictions"]) == 2

        changed = deploy.replace("ARGS='", "ARGS='-c api.memory_mib=768 ")

        deployed = in_a_shell([source, changed, MEMORY], tmp_path / "shell")
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        assert "768" in deployed.stdout.splitlines()[-1], deployed.stdout
        destroyed = in_a_shell([source, destroy], tmp_path / "shell")
        assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
        assert "Serving (kennel-serving): destroyed" in destroyed.stderr

        run.send_signal(signal.SIGINT)
        rest, _ = run.communicate()

    assert run.returncode == 0, rest
    assert "The local AWS has ended. No process is left." in rest
    check_nothing_is_left(folder, tmp_path / "tmp")
