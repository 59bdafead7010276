"""Run a command as the root user of a container, with the capabilities that Docker leaves it by default.

python -m tests.security.container_root COMMAND...                       with them
python -m tests.security.container_root --capabilities none COMMAND...   as with `docker run --cap-drop ALL`
python -m tests.security.container_root --capabilities kept COMMAND...   a change of the user does not take them away
python -m tests.security.container_root --user 1000 COMMAND...           as with `docker run --user 1000`

It needs root, or several users in a user namespace (`LAUNCHER`). Only the standard library: the launcher must not
depend on the code under test.
"""

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.security.locked_down import (
    BIND,
    DOCKER,
    NEW_MOUNTS,
    PRIVATE,
    RECURSIVE,
    call,
    keep_capabilities,
    libc,
    mount,
)

SET_SECURE_BITS = 28  # PR_SET_SECUREBITS of linux/prctl.h
NO_SETUID_FIXUP = 4  # of linux/securebits.h

REPOSITORY = Path(__file__).resolve().parents[2]
_SEVERAL_USERS = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--map-auto", "--"]
LAUNCHER = [*_SEVERAL_USERS, sys.executable, "-m", "tests.security.container_root"]
"""The beginning of a command line. An ordinary user is root only in a user namespace."""


def missing() -> str:
    """Why this system cannot run a command as a container's root; empty if it can."""
    if shutil.which("unshare") is None and _SEVERAL_USERS:
        return "not root, and unshare is not installed"
    become = "import os; os.setgroups([]); os.setresgid(10001, 10001, 10001); os.setresuid(10001, 10001, 10001)"
    ran = subprocess.run(
        [*LAUNCHER, sys.executable, "-c", become], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    return f"not root, and no user namespace with several users: {ran.stderr.strip()}" if ran.returncode else ""


def open_to_others(paths: list[Path]) -> None:
    """Make `paths` reachable for every user, in a mount namespace of this process, where a parent is closed to others.

    In a container every user may read the interpreter; here it may be below a user's home.
    """
    hidden = [path for path in paths if _closed_parent(path)]
    if not hidden:
        return
    call(libc.unshare(NEW_MOUNTS), "unshare")
    mount(None, "/", None, RECURSIVE | PRIVATE)
    for path, descriptor in [(path, os.open(path, os.O_PATH)) for path in hidden]:
        if closed := _closed_parent(path):
            mount("tmpfs", str(closed), "tmpfs", 0)
            closed.chmod(0o755)
        path.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{descriptor}", str(path), None, BIND | RECURSIVE)


def _closed_parent(path: Path) -> Path | None:
    return next((parent for parent in reversed(path.parents) if not parent.stat().st_mode & 0o001), None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--capabilities", choices=["docker", "none", "kept"], default="docker")
    parser.add_argument("--user", type=int, default=0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    open_to_others([Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), REPOSITORY])
    os.setgroups([0, 1, 2])  # a container's root is in groups too, and the server must leave them
    if arguments.capabilities == "kept":
        call(libc.prctl(SET_SECURE_BITS, *map(ctypes.c_ulong, (NO_SETUID_FIXUP, 0, 0, 0))), "prctl")
    keep_capabilities(set() if arguments.capabilities == "none" else DOCKER)
    if arguments.user:
        os.setgroups([])
        os.setresgid(arguments.user, arguments.user, arguments.user)
        os.setresuid(arguments.user, arguments.user, arguments.user)
    os.execvp(arguments.command[0], arguments.command)  # noqa: S606 - the command is the caller's own


if __name__ == "__main__":
    main()
