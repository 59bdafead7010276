"""Run a command as a container does: with no network but loopback, on a read-only file system.

python -m tests.security.locked_down COMMAND...              in a user namespace, as the user 10001
python tests/security/locked_down.py --root DIR --bind SOURCE TARGET COMMAND...    in DIR, as a container's root

Only the standard library: the launcher must not depend on the code under test.
"""

import argparse
import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

NEW_MOUNTS, NEW_USERS, NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000  # CLONE_* of linux/sched.h
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18  # MS_* of linux/mount.h
READ_ONLY = 1  # MOUNT_ATTR_RDONLY
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_SETATTR = 442  # the same number on every architecture
NO_NEW_PRIVILEGES, DROP_FROM_BOUNDING_SET = 38, 24  # PR_SET_NO_NEW_PRIVS and PR_CAPBSET_DROP of linux/prctl.h
DOCKER = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
"""What Docker leaves root by default: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE and SETFCAP."""
USER = 10001

libc = ctypes.CDLL(None, use_errno=True)


def call(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    names = [name.encode() if name is not None else None for name in (source, target, kind)]
    call(libc.mount(*names, flags, None), f"mount {source} on {target}")


def read_only(path: str) -> None:
    """Make `path`, and everything that is mounted below it, read-only."""
    attributes = struct.pack("=QQQQ", READ_ONLY, 0, 0, 0)
    result = libc.syscall(MOUNT_SETATTR, AT_FDCWD, path.encode(), AT_RECURSIVE, attributes, len(attributes))
    call(result, f"mount_setattr {path}")


def keep_capabilities(kept: set[int]) -> None:
    """Take every other capability from the programs that this process starts, root's included."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in set(range(last + 1)) - kept:
        call(libc.prctl(DROP_FROM_BOUNDING_SET, *map(ctypes.c_ulong, (capability, 0, 0, 0))), "prctl")


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path)
    parser.add_argument("--bind", nargs=2, action="append", default=[])
    parser.add_argument("--folder", default="/")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    me, group = os.getuid(), os.getgid()
    call(libc.unshare(NEW_MOUNTS | NEW_NETWORK | (0 if arguments.root else NEW_USERS)), "unshare")
    if not arguments.root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{USER} {me} 1")
        Path("/proc/self/gid_map").write_text(f"{USER} {group} 1")
    loopback_up()
    mount(None, "/", None, RECURSIVE | PRIVATE)
    if arguments.root:
        root = str(arguments.root)
        mount(root, root, None, BIND)
        for folder in ("/proc", "/sys", "/dev"):
            mount(folder, root + folder, None, BIND | RECURSIVE)
        for source, target in arguments.bind:
            Path(root + target).mkdir(parents=True, exist_ok=True)
            mount(source, root + target, None, BIND)
        read_only(root)
        os.chroot(root)
        os.chdir(arguments.folder)
        keep_capabilities(DOCKER)
    else:
        read_only("/")
        call(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    os.execvp(arguments.command[0], arguments.command)  # noqa: S606 - the command is the caller's own


if __name__ == "__main__":
    main()
