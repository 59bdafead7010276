"""`kennel rehearse` as a process, and what it leaves on the machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sample_dogs.breeds import BREEDS
from sample_dogs.dataset import write_sample
from tests.patience import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
KENNEL = [sys.executable, "-c", "from ops.cli import main; main()"]
OF_ANOTHER_ACCOUNT = {
    "AWS_PROFILE": "company",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "eu-west-1",
}
"""Variables of an operator's shell, which a rehearsal must not use. The key is AWS's example."""
SHORT = ("--pretrained", "none", "--epochs", "1", "--photos", "2")


def few_photos(folder: Path) -> Path:
    """Photos for a training of seconds."""
    write_sample(folder, counts={"train": 6, "valid": 2, "test": 2}, breeds=BREEDS[:3])
    return folder


def command(folder: Path, *words: str) -> list[str]:
    """A rehearsal in the folder, with a temporary folder of its own."""
    return [*KENNEL, "rehearse", "--folder", str(folder), *words]


def variables(temporary: Path, more: Mapping[str, str] = OF_ANOTHER_ACCOUNT) -> dict[str, str]:
    """The environment of a rehearsal: whatever it leaves in a temporary folder is in `temporary`."""
    temporary.mkdir(exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**own, **more, "TMPDIR": str(temporary)}


def rehearse(folder: Path, *words: str, timeout_s: float = 1200) -> "subprocess.CompletedProcess[str]":
    """Run a rehearsal to its end."""
    return subprocess.run(
        command(folder, *words),
        cwd=REPOSITORY,
        env=variables(folder.parent / "tmp"),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def started(folder: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A rehearsal that runs during the block."""
    with subprocess.Popen(
        command(folder, *words),
        cwd=REPOSITORY,
        env=variables(folder.parent / "tmp"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            yield run
        finally:
            if run.poll() is None:
                run.send_signal(signal.SIGTERM)
                run.communicate()


def printed_until(line: str, run: "subprocess.Popen[str]") -> str:
    """What a rehearsal prints up to a line, which contains the words."""
    assert run.stdout is not None
    lines = []
    for each in run.stdout:
        lines.append(each)
        if line in each:
            return "".join(lines)
    raise AssertionError("".join(lines))


def of_the_folder(folder: Path) -> list[str]:
    """The processes that belong to a rehearsal: its folder is in their command, environment or working directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            place = str((process / "cwd").readlink())
        except OSError:
            continue
        if int(process.name) != os.getpid() and (os.fsencode(folder) in seen or place.startswith(str(folder))):
            found.append(f"{process.name}: {seen[:200].decode(errors='replace')}")
    return found


def check_nothing_is_left(folder: Path, temporary: Path) -> None:
    """No process, so no port and no namespace, and nothing in the temporary folder."""
    gone = wait_until(lambda: not of_the_folder(folder))
    assert gone, of_the_folder(folder)
    assert not list(temporary.iterdir())
