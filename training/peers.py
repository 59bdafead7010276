"""Failures across processes: whether the root cause is in another process, and how its reason reaches this one."""

import contextlib
import datetime
import os
import platform
from typing import Any

import torch.distributed as dist

_REASON = "kennel/reason"
_STORE_TIMEOUT = datetime.timedelta(seconds=2)


def is_lost_peer(error: Exception) -> bool:
    """Whether a collective failed because a peer is gone: the root cause is in the peer's log, not in this process."""
    if any(word in str(error) for word in ("invalid usage", "invalid argument", "unhandled cuda error")):
        return False  # NCCL's words for an error of this process, such as a GPU without free memory
    if isinstance(error, (dist.DistBackendError, dist.DistNetworkError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo", "Gloo", "NCCL"))


def report_failure(reason: str) -> None:
    """Store the reason why this process fails, for its peers: they only see that it is gone."""
    if dist.is_initialized():
        host = os.environ.get("SM_CURRENT_HOST") or platform.node()
        with contextlib.suppress(dist.DistError, RuntimeError):
            _store().set(_REASON, f"{host} (rank {dist.get_rank()}): {reason}")


def peer_failure() -> str | None:
    """The reason that a failed peer stored, with its host and rank; None if there is none."""
    with contextlib.suppress(dist.DistError, RuntimeError):
        store = _store()
        if store.check([_REASON]):
            return str(store.get(_REASON), errors="replace")
    return None


def _store() -> Any:
    """The key-value store of the process group. Under torchrun it outlives the processes; otherwise rank 0 holds it."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return dist.TCPStore(address, port, is_master=False, timeout=_STORE_TIMEOUT, wait_for_workers=False)  # type: ignore[attr-defined]
