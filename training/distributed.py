"""The processes that train together: their ranks, and the sums and copies that they exchange."""

import datetime
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist

from inference.cores import usable_cores

TIMEOUT = datetime.timedelta(seconds=120)
"""How long a collective waits for a lost host. The defaults of the back ends, 10 and 30 minutes, would be billed."""

T = TypeVar("T")


class WorldError(Exception):
    """The processes do not match the job or each other. The message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class World:
    """This process and the number of all processes. A single process has size 1 and needs no process group.

    These collectives work on host memory over gloo, which raises at once if a process is gone. NCCL, which would wait
    for it or abort this process without a message, is used for gradients alone.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Global rank 0, the only process that writes. Every host has a local rank 0; the global one exists once."""
        return self.rank == 0

    def all_reduce(self, *values: float) -> list[float]:
        """Each value summed over all processes, in double precision."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def any_rank(self, flag: bool) -> bool:
        """Whether the flag is set in any process. Every process gets the same result, once all have called this."""
        if self.size == 1:
            return flag
        tensor = torch.tensor([flag], dtype=torch.uint8)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return bool(tensor.item())

    def barrier(self) -> None:
        """Return once every process has called this. Over gloo, unlike dist.barrier with an NCCL group."""
        self.any_rank(False)

    def shard(self, items: Sequence[T], *, block: int = 1) -> list[T]:
        """This process's part of `items`, which are assigned in turn, `block` neighbours at a time."""
        return [item for i, item in enumerate(items) if i // block % self.size == self.rank]

    def gather_rows(self, rows: torch.Tensor, count: int, *, block: int = 1) -> torch.Tensor:
        """The inverse of `shard`: row i of the result belongs to item i of `count`, in every process.

        rows: (own rows, ...) on `device`; the result is (count, ...) on `device`.
        """
        if self.size == 1:
            return rows
        rounds = -(-count // (self.size * block))  # in the last one some processes have fewer items, or none
        padded = torch.zeros((rounds * block, *rows.shape[1:]), dtype=rows.dtype)
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(parts, padded)
        in_rounds = [part.reshape(rounds, block, *rows.shape[1:]) for part in parts]
        return torch.stack(in_rounds, dim=1).flatten(0, 2)[:count].to(self.device)

    def gather_notes(self, notes: Mapping[str, str]) -> dict[str, str]:
        """The notes of all processes merged, with the same content and order in every process."""
        merged: dict[str, str] = {}
        for rank in range(self.size):
            merged.update(json.loads(self.broadcast(json.dumps(dict(notes)).encode(), source=rank)))
        return dict(sorted(merged.items()))

    def check_agreement(self, what: str, value: str) -> None:
        """Raise WorldError in every process if the processes hold different values."""
        values = self.gather_notes({str(self.rank): value})
        if len(set(values.values())) > 1:
            raise WorldError(
                f"The processes do not see the same {what}, so they would train different models; give every host the "
                "same files (SageMaker: S3DataDistributionType FullyReplicated)."
            )

    def broadcast(self, content: bytes, *, source: int = 0) -> bytes:
        """The bytes that the process `source` passes, in every process; those of the others are ignored."""
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


def join() -> World:
    """Join the processes that torchrun or the SageMaker toolkit started. A process started alone has a world of size 1.

    Raises WorldError if the number of processes does not match SM_HOSTS and the GPUs, or if they cannot connect.
    """
    size, rank, local_rank = (
        _setting(name, alone) for name, alone in (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0))
    )
    _check_size(size)
    if _has_gpu():
        _check_own_gpu(local_rank, torch.cuda.device_count())
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
        _share_the_cores()
    if size > 1:
        if interface := os.environ.get("SM_NETWORK_INTERFACE_NAME"):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)  # the toolkit sets it only for NCCL
        if host := os.environ.get("SM_CURRENT_HOST"):
            # NCCL takes processes whose host name and boot id are equal for neighbours, which share memory. SageMaker's
            # containers all have the same host name, and hosts that were started from one snapshot the same boot id.
            os.environ.setdefault("NCCL_HOSTID", host)
        try:
            backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
            dist.init_process_group(backend, timeout=TIMEOUT)
        except (dist.DistError, RuntimeError, ValueError) as error:
            address = f"{os.environ.get('MASTER_ADDR', '?')}:{os.environ.get('MASTER_PORT', '?')}"
            raise WorldError(
                f"Process {rank} of {size} cannot connect to the others at {address} within {TIMEOUT.seconds} s "
                f"({_first_line(error)}); start all processes together. In a VPC, the security group must allow "
                "traffic between its members."
            ) from error
    world = World(rank, size, device)
    if device.type == "cuda":
        check_own_gpus(world, str(torch.cuda.get_device_properties(device).uuid))
    return world


def check_own_gpus(world: World, gpu: str) -> None:
    """Raise WorldError in every process if two have the same GPU, which NCCL refuses later, in pages of its own words.

    gpu: what identifies this process's GPU among those of all hosts.
    """
    gpus = set(world.gather_notes({str(world.rank): gpu}).values())
    if len(gpus) < world.size:
        raise WorldError(
            f"{world.size} processes share {len(gpus)} GPU, and two cannot train on one; start one process per GPU."
        )


def leave() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def exit_now(status: int) -> NoReturn:
    """Exit with the output flushed and without the interpreter's cleanup.

    In that cleanup gloo aborts about one exit in sixteen (torch 2.13), and the other host then waits 300 s for it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _setting(name: str, alone: int) -> int:
    value = os.environ.get(name, str(alone))
    if not value.isdecimal():
        raise WorldError(f"{name} is {value!r}, but must be a number; torchrun sets it, so start the script with it.")
    return int(value)


def _share_the_cores() -> None:
    """Divide the cores of this host among its processes.

    If OMP_NUM_THREADS is not set, torchrun gives each of several processes one thread, whatever the number of cores.
    """
    processes = _setting("LOCAL_WORLD_SIZE", 1)
    if processes > 1 and os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(max(1, usable_cores() // processes))


def _has_gpu() -> bool:
    """Whether to compute on GPUs. SM_NUM_GPUS is the host's number of GPUs; the rehearsal sets it to 0.

    Raises WorldError if torch cannot use the GPUs: the job would train on the CPU, slowly, at the price of a GPU.
    """
    count = os.environ.get("SM_NUM_GPUS", "")
    usable = count != "0" and torch.cuda.is_available()
    if count.isdecimal() and int(count) and not usable:
        raise WorldError(
            f"This host has {count} GPU that torch {torch.__version__} cannot use: the driver is missing or too old; "
            "choose an image that matches the driver (training.image_tag)."
        )
    return usable


def _check_own_gpu(local_rank: int, gpus: int) -> None:
    """Every process raises, not only the one without a GPU: the others would wait for it, and torchrun for them."""
    processes = max(_setting("LOCAL_WORLD_SIZE", 1), local_rank + 1)
    if processes > gpus:
        raise WorldError(
            f"{processes} processes were started on this host, which has {gpus} GPU, and two cannot train on one; "
            f"start one process per GPU (torchrun --nproc-per-node {gpus})."
        )


def _check_size(size: int) -> None:
    hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))
    expected = len(hosts) * (torch.cuda.device_count() if _has_gpu() else 1)
    if hosts and size != expected:
        raise WorldError(
            f"SM_HOSTS names {len(hosts)} hosts, which need {expected} processes, but the world size is {size}: each "
            "host would train on its own. Set the hyperparameter sagemaker_torch_distributed_enabled to true."
        )
