"""Play README's part "On AWS" from a fresh clone, against the stand-in account.

python -m tests.account.readme      # two minutes; prints who has answered each command

The commands come from README itself, so that a change there changes what is played. The clone is of the last commit.
Its virtual environment holds what make would install for each command and nothing else.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.account.account import Account
from tests.account.terminal import Ended, run_in_terminal
from tests.builders import any_photo, write_artifact, write_resnet50
from tests.contract.server_process import listening
from tests.distributed.dogs import write_photos
from tests.packages import ROOT, groups_of, install_into, planned

TITLE = "On AWS"
WEIGHTS = "resnet50.safetensors"
FINDS_GAPS = {"make preflight"}
"""It fails as it should: README has it before the bootstrap and the photos, which are then the gaps."""
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Played:
    """A command of README that was played."""

    command: str
    ended: Ended
    calls: Counter[str]
    """The calls that the stand-in has answered, by service, and by action for CloudFormation."""
    recorded: Counter[str]
    """The types of resources that the stand-in only records: whether AWS creates them, AWS alone can say."""
    seconds: float

    @property
    def answered_by(self) -> str:
        if not self.calls:
            return "this machine alone"
        if not self.recorded:
            return "the stand-in"
        return f"the stand-in, and only AWS can say how {sum(self.recorded.values())} of the resources end"


def commands(readme: str) -> list[str]:
    """The commands of README's part, in order."""
    part = re.search(rf"^## {TITLE}\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    assert part, f"README has no part {TITLE!r}"
    blocks = re.findall(r"^```\w*\n(.*?)^```$", part[1], re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines() if line.strip()]


class Clone:
    """A fresh clone, and the shell of a user who has nothing but make, git and an account."""

    def __init__(self, folder: Path, account: Account) -> None:
        self.folder = folder / "kennel"
        self._account = account
        self._home = folder / "home"
        self._home.mkdir()
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.folder)], check=True)
        venv.create(self.folder / ".venv", with_pip=False, symlinks=True)
        self._installed("bin/uv")

    @property
    def variables(self) -> dict[str, str]:
        return {
            "PATH": SYSTEM_PATH,
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "COLUMNS": "200",
            **self._account.variables,
        }

    def _installed(self, marker: str) -> None:
        (self.folder / ".venv" / marker).touch()

    def prepare(self, line: str) -> None:
        """Install what make would install for this line."""
        script = planned(line, self.folder)
        groups = groups_of(script)
        if not groups:
            return
        install_into(self.folder / ".venv", groups, project=self.folder)
        for group in groups:
            self._installed(f".installed-{group}")
        if "npm ci" in script:
            modules = self.folder / "node_modules"
            modules.mkdir(exist_ok=True)
            for entry in (ROOT / "node_modules").iterdir():
                if entry.name != ".installed" and not (modules / entry.name).exists():
                    (modules / entry.name).symlink_to(entry.resolve())
            (modules / ".installed").touch()

    def play(self, line: str) -> Played:
        if line.startswith("make "):
            self.prepare(line)
        calls, recorded = len(self._account.calls), len(self._account.resources.recorded)
        begun = time.monotonic()
        ended = run_in_terminal(self._typed(line), cwd=self.folder, env=self.variables)
        return Played(
            command=shlex.join(shlex.split(line, comments=True)),
            ended=ended,
            calls=Counter(self._account.calls[calls:]),
            recorded=Counter(kind for _, kind in self._account.resources.recorded[recorded:]),
            seconds=time.monotonic() - begun,
        )

    def _typed(self, line: str) -> str:
        """What is typed for a line of README: weights come from a file, because no model hub is on this machine."""
        return f"make weights-upload FILE={WEIGHTS}" if line.startswith("make weights-upload") else line


@contextmanager
def fresh_clone() -> Iterator[tuple[Account, Clone]]:
    """A clone with a user's photos, and an account in which every endpoint runs Kennel's server with a small model."""
    with tempfile.TemporaryDirectory(prefix="readme-") as name:
        folder = Path(name)
        model = write_artifact(folder / "model")
        with listening(model, folder / "logs") as server, Account(container=server.url) as account:
            server.wait_until_ready()
            clone = Clone(folder, account)
            write_photos(clone.folder / "dogImages")
            write_resnet50(clone.folder / WEIGHTS)
            (clone.folder / "dog.jpg").write_bytes(any_photo())
            yield account, clone


def main() -> int:
    failed = False
    with fresh_clone() as (_, clone):
        for line in commands((clone.folder / "README.md").read_text()):
            played = clone.play(line)
            print(
                f"{played.command}\n    exit status {played.ended.status}, {played.seconds:.0f} s: {played.answered_by}"
            )
            for kind, count in sorted(played.recorded.items()):
                print(f"    {count:3} {kind}")
            if played.ended.status:
                print(played.ended.output)
                failed |= played.command not in FINDS_GAPS
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
