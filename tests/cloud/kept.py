"""Kennel deployed by `kennel rehearse --keep`, and the clients of that local AWS."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from sample_dogs.breeds import BREEDS
from sample_dogs.dataset import write_sample
from tests.patience import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
KENNEL = (sys.executable, "-c", "from ops.cli import main; main()")
SHORT = ("--pretrained", "none", "--epochs", "1", "--photos", "2")
"""A training of seconds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """folder: of the local AWS. variables: with which a shell uses it."""

    folder: Path
    variables: dict[str, str]

    def client(self, service: str) -> Any:
        """A client with the account's root key."""
        factory: Any = boto3.client  # its type has an overload for each service's name
        return factory(
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            region_name=self.variables["AWS_REGION"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def kept_kennel(folder: Path, *options: str, test_photos: int = 2) -> Iterator[Kept]:
    """A rehearsal in the folder that has deployed everything, and runs during the block.

    options: more of `kennel rehearse`. test_photos: of each of three breeds.
    """
    write_sample(folder / "photos", counts={"train": 6, "valid": 2, "test": test_photos}, breeds=BREEDS[:3])
    log, state = folder / "log", folder / "rehearsal" / "aws.sh"
    words = [
        "rehearse",
        "--folder",
        str(folder / "rehearsal"),
        "--data",
        str(folder / "photos"),
        *SHORT,
        "--keep",
        *options,
    ]
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with log.open("wb") as output:
        run = subprocess.Popen([*KENNEL, *words], cwd=REPOSITORY, env=own, stdout=output, stderr=output)
    try:
        assert any(_runs(run, state) for _ in range(4)), log.read_text()
        exported = re.findall(r"^export (\w+)=(.*)$", state.read_text(), re.MULTILINE)
        yield Kept(folder / "rehearsal" / "aws", {name: shlex.split(value)[0] for name, value in exported})
    finally:
        run.send_signal(signal.SIGINT)
        run.wait()


def _runs(run: "subprocess.Popen[bytes]", state: Path) -> bool:
    return wait_until(state.exists, running=lambda: run.poll() is None)
