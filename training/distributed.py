"""The processes that train together: who they are, and the few sums and copies that pass between them."""

import contextlib
import datetime
import json
import os
import platform
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from inference.classifier import usable_cores

TIMEOUT = datetime.timedelta(seconds=120)
"""A lost host must end the job, not bill for the 10 or 30 minutes of the back ends' own defaults."""

_REASON = "kennel/reason"
_STORE_TIMEOUT = datetime.timedelta(seconds=2)
_SENT = 8
"""Column of /proc/net/dev, after the interface's name."""

T = TypeVar("T")


class WorldError(Exception):
    """The processes do not add up to the job. The message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class World:
    """This process's place among all. One process alone is a world of size 1 and needs no process group.

    What passes between them here lies in the host's memory and goes over gloo, which raises at once where a process is
    gone. NCCL, which would wait for it or end this process unheard, carries the gradients alone.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Global rank 0, the only one that writes. Every host has a local rank 0; there is one global one."""
        return self.rank == 0

    def total(self, *values: float) -> list[float]:
        """Each value summed over all processes, in double precision."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def anyone(self, says_so: bool) -> bool:
        """Whether any process says so: the same answer in every one, and none has it before all have asked."""
        if self.size == 1:
            return says_so
        flag = torch.tensor([says_so], dtype=torch.uint8)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item())

    def share(self, items: Sequence[T], *, block: int = 1) -> list[T]:
        """This process's share of `items`: they are dealt out in turn, `block` neighbours at a time."""
        return [item for i, item in enumerate(items) if i // block % self.size == self.rank]

    def gather_rows(self, rows: torch.Tensor, count: int, *, block: int = 1) -> torch.Tensor:
        """The inverse of `share`: row i of the result belongs to item i of `count`, in every process.

        rows: (own rows, ...) on `device`; the result is (count, ...) on `device`.
        """
        if self.size == 1:
            return rows
        rounds = -(-count // (self.size * block))  # of dealing out; in the last one some get less, or nothing
        padded = torch.zeros((rounds * block, *rows.shape[1:]), dtype=rows.dtype)
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(parts, padded)
        in_rounds = [part.reshape(rounds, block, *rows.shape[1:]) for part in parts]
        return torch.stack(in_rounds, dim=1).flatten(0, 2)[:count].to(self.device)

    def union(self, notes: Mapping[str, str]) -> dict[str, str]:
        """The notes of all processes together, the same and in the same order in every one."""
        merged: dict[str, str] = {}
        for rank in range(self.size):
            merged.update(json.loads(self.broadcast(json.dumps(dict(notes)).encode(), source=rank)))
        return dict(sorted(merged.items()))

    def check_agreement(self, what: str, value: str) -> None:
        """Raise WorldError in every process where they do not all hold the same value."""
        seen = self.union({str(self.rank): value})
        if len(set(seen.values())) > 1:
            raise WorldError(
                f"The processes do not see the same {what}, so they would learn different things; give every host the "
                "same files (SageMaker: S3DataDistributionType FullyReplicated)."
            )

    def broadcast(self, content: bytes, *, source: int = 0) -> bytes:
        """The bytes that the process `source` holds, in every process; what the others pass is ignored."""
        if self.size == 1:
            return content
        length = torch.tensor([len(content)], dtype=torch.int64)
        dist.broadcast(length, src=source)
        if not length.item():
            return b""
        buffer = torch.zeros(int(length.item()), dtype=torch.uint8)
        if self.rank == source:
            buffer.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        dist.broadcast(buffer, src=source)
        return buffer.numpy().tobytes()


def replicated(network: nn.Module, world: World) -> nn.Module:
    """The network, such that a backward pass leaves the mean of all processes' gradients in every one.

    Buffers are not broadcast: each process's norm layers follow its own photos until they are averaged.
    """
    if world.size == 1:
        return network
    world.anyone(False)  # all are still there: NCCL, which meets in the next lines, would wait for a lost one for ever
    with warnings.catch_warnings():
        # torch 2.14 has a new name for the option; the old one is what every release that AWS's images carry knows
        warnings.filterwarnings("ignore", message=".*broadcast_buffers", category=FutureWarning)
        # The gradients end in the buckets that were sent: else each step would copy them out again.
        return DistributedDataParallel(network, broadcast_buffers=False, gradient_as_bucket_view=True)


def unsent(network: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Within, a backward pass adds to this process's gradients and sends none: a later one sends the sum."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else contextlib.nullcontext()


def buffers_of_all(network: nn.Module, world: World) -> torch.Tensor:
    """(size, values): every process's norm-layer statistics, the same in every process."""
    parts = [buffer.detach().flatten() for buffer in _statistics(network)]
    own = torch.cat(parts) if parts else torch.empty(0, device=world.device)
    return world.gather_rows(own.unsqueeze(0), world.size) if parts else own.expand(world.size, 0)


def average_buffers(network: nn.Module, rows: torch.Tensor) -> None:
    """Give the network the mean of all processes' statistics."""
    restore_buffers(network, rows.mean(0, keepdim=True), rank=0)


def restore_buffers(network: nn.Module, rows: torch.Tensor, rank: int) -> None:
    """Give the network the statistics of one process; the mean, where the process was not among them."""
    values = rows[rank] if rank < len(rows) else rows.mean(0)
    buffers = _statistics(network)
    parts = torch.split(values, [buffer.numel() for buffer in buffers]) if buffers else ()
    for buffer, part in zip(buffers, parts, strict=True):
        buffer.copy_(part.view_as(buffer))


def _statistics(network: nn.Module) -> list[torch.Tensor]:
    return [buffer for buffer in network.buffers() if buffer.is_floating_point()]


def join() -> World:
    """Join the processes that torchrun or the SageMaker toolkit started; alone, this is a world of one.

    Raises WorldError where the number of processes is not what SM_HOSTS and the GPUs call for, or they cannot meet.
    """
    size, rank, local_rank = (
        _setting(name, alone) for name, alone in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0))
    )
    _check_size(size)
    if _has_gpu():
        if local_rank >= torch.cuda.device_count():
            raise WorldError(
                f"LOCAL_RANK is {local_rank}, but this host has {torch.cuda.device_count()} GPU; start one process for "
                f"each (torchrun --nproc-per-node {torch.cuda.device_count()})."
            )
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
        _share_the_cores()
    if size > 1:
        if interface := os.environ.get("SM_NETWORK_INTERFACE_NAME"):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)  # the toolkit tells NCCL alone
        try:
            backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
            dist.init_process_group(backend, timeout=TIMEOUT)
        except (dist.DistError, RuntimeError, ValueError) as error:
            address = f"{os.environ.get('MASTER_ADDR', '?')}:{os.environ.get('MASTER_PORT', '?')}"
            raise WorldError(
                f"Process {rank} of {size} cannot meet the others at {address} ({_first_line(error)}); it may wait "
                f"{TIMEOUT.seconds} s. In a VPC, the security group must let its members reach each other."
            ) from error
    return World(rank, size, device)


def leave() -> None:
    """End the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def exit_now(status: int) -> NoReturn:
    """End this process with its output written, and without the interpreter's own clearing up.

    gloo aborts about one interpreter exit in sixteen (torch 2.13), and the other host then waits 300 s for it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def is_lost_peer(error: Exception) -> bool:
    """Whether a collective failed because another process is gone: this one is innocent, the other has the reason."""
    if any(word in str(error) for word in ("invalid usage", "invalid argument", "unhandled cuda error")):
        return False  # NCCL's words for what is this process's own, such as a GPU without memory
    if isinstance(error, (dist.DistBackendError, dist.DistNetworkError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo", "Gloo", "NCCL"))


def tell(reason: str) -> None:
    """Leave the reason of this process's end where the others find it: they will only see that it is gone."""
    if dist.is_initialized():
        host = os.environ.get("SM_CURRENT_HOST") or platform.node()
        with contextlib.suppress(dist.DistError, RuntimeError):
            _meeting_place().set(_REASON, f"{host} (rank {dist.get_rank()}): {reason}")


def told() -> str | None:
    """The reason that the first process to fail has left, with its name; None where it could leave none."""
    with contextlib.suppress(dist.DistError, RuntimeError):
        store = _meeting_place()
        if store.check([_REASON]):
            return str(store.get(_REASON), errors="replace")
    return None


def _meeting_place() -> Any:
    """The store that the process group met at. torchrun keeps it, so it outlives the processes; else rank 0 does."""
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return dist.TCPStore(address, port, is_master=False, timeout=_STORE_TIMEOUT, wait_for_workers=False)  # type: ignore[attr-defined]


def bytes_sent() -> int | None:
    """Bytes that this host has sent to the others since its start; None where no interface is theirs alone."""
    interface = os.environ.get("SM_NETWORK_INTERFACE_NAME", "lo")
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()
    except OSError:
        return None
    counters = {name.strip(): values.split() for name, _, values in (line.partition(":") for line in lines)}
    return int(counters[interface][_SENT]) if interface != "lo" and interface in counters else None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _setting(name: str, alone: int) -> int:
    value = os.environ.get(name, str(alone))
    if not value.isdecimal():
        raise WorldError(f"{name} is {value!r}, not a number; torchrun sets it, so start the script with torchrun.")
    return int(value)


def _share_the_cores() -> None:
    """Give each process of this host its part of the cores.

    torchrun gives each of several processes one thread where OMP_NUM_THREADS is not set, however many cores there are.
    """
    processes = _setting("LOCAL_WORLD_SIZE", 1)
    if processes > 1 and os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(max(1, usable_cores() // processes))


def _has_gpu() -> bool:
    """Whether to compute on GPUs. SageMaker says how many a host has, and a rehearsal that its hosts have none.

    Raises WorldError where torch cannot use those that are there: training would go on, slowly, at the price of a GPU.
    """
    said = os.environ.get("SM_NUM_GPUS", "")
    usable = said != "0" and torch.cuda.is_available()
    if said.isdecimal() and int(said) and not usable:
        raise WorldError(
            f"This host has {said} GPU that torch {torch.__version__} cannot use, its driver being too old or missing; "
            "choose an image that fits it (training.image_tag)."
        )
    return usable


def _check_size(size: int) -> None:
    hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))
    expected = len(hosts) * (torch.cuda.device_count() if _has_gpu() else 1)
    if hosts and size != expected:
        raise WorldError(
            f"SM_HOSTS names {len(hosts)} hosts, which makes {expected} processes, but the world size is {size}: "
            "the hosts would train apart. Set the hyperparameter sagemaker_torch_distributed_enabled to true."
        )
