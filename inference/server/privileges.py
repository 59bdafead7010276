"""Give up root for good. docs/decisions/0073 says why the container starts as root, and what is left afterwards."""

import ctypes
import os
import struct
import sys

_SET_NO_NEW_PRIVILEGES, _DROP_FROM_BOUNDING_SET = 38, 24  # PR_* of linux/prctl.h
_CAPABILITY_VERSION_3 = 0x20080522  # of linux/capability.h
_MOST_CAPABILITIES = 64  # the bits of a capability set


class PrivilegeError(Exception):
    """Root could not be given up. The message is the reason."""


def give_up_root(user: int) -> None:
    """Become the user and the group `user`, without other groups, capabilities or a way to obtain any again.

    A process that root has not started keeps its user and its groups, and loses the rest alike. Call it before other
    threads exist: Linux keeps capabilities and no_new_privs for each thread, and a thread inherits those of the one
    that starts it.

    Raises PrivilegeError if the system refuses a step, and then the process must not go on. Linux only.
    """
    if sys.platform != "linux":
        raise PrivilegeError("only Linux has the system calls for it")
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        # from here on, starting a program that belongs to root does not make the process root
        _call(libc.prctl(_SET_NO_NEW_PRIVILEGES, *map(ctypes.c_ulong, (1, 0, 0, 0))), "prctl(PR_SET_NO_NEW_PRIVS)")
        _empty_bounding_set(libc)
        if 0 in os.getresuid():
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        # the kernel has done this already, unless a "securebit" that the process inherited says otherwise
        _call(libc.capset(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)), "capset")
    except OSError as error:
        raise PrivilegeError(error.strerror) from error
    if _becomes_root():
        raise PrivilegeError("the process could still become root again")


def _empty_bounding_set(libc: ctypes.CDLL) -> None:
    """Without CAP_SETPCAP the set stays as it is. It then gives nothing: no_new_privs keeps programs from using it."""
    for capability in range(_MOST_CAPABILITIES):
        if libc.prctl(_DROP_FROM_BOUNDING_SET, *map(ctypes.c_ulong, (capability, 0, 0, 0))) < 0:
            return  # EINVAL: this kernel has no more capabilities


def _becomes_root() -> bool:
    try:
        os.setresuid(0, 0, 0)
    except OSError:
        return False
    return True


def _call(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
