"""The processes that train together: who they are, and the few sums and copies that pass between them."""

import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

TIMEOUT = datetime.timedelta(seconds=120)
"""A lost host must end the job, not bill for the 10 or 30 minutes of the back ends' own defaults."""


class WorldError(Exception):
    """The processes do not add up to the job. The message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class World:
    """This process's place among all. One process alone is a world of size 1 and needs no process group."""

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
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def gather_rows(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        """Put together what was dealt out by `share`: row i of the result is row i // size of process i % size.

        rows: (own rows, ...) on any device; the result is (count, ...) on the CPU, the same in every process.
        """
        if self.size == 1:
            return rows.cpu()
        most = -(-count // self.size)
        padded = torch.zeros((most, *rows.shape[1:]), dtype=rows.dtype, device=self.device)
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(parts, padded)
        return torch.stack(parts, dim=1).flatten(0, 1)[:count].cpu()

    def share(self, items: list[Any]) -> list[Any]:
        """This process's share of `items`: every size-th, from its rank on."""
        return items[self.rank :: self.size]

    def union(self, notes: Mapping[str, str]) -> dict[str, str]:
        """The notes of all processes together, the same in every one."""
        merged: dict[str, str] = {}
        for rank in range(self.size):
            merged.update(json.loads(self.broadcast(json.dumps(dict(notes)).encode(), source=rank)))
        return merged

    def average(self, tensors: list[torch.Tensor]) -> None:
        """Replace each tensor, in place, by its mean over all processes."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.detach().flatten().to(self.device) for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, mean in zip(tensors, torch.split(flat / self.size, [t.numel() for t in tensors]), strict=True):
            tensor.detach().copy_(mean.view_as(tensor))

    def broadcast(self, content: bytes, *, source: int = 0) -> bytes:
        """The bytes that the process `source` holds, in every process; what the others pass is ignored."""
        if self.size == 1:
            return content
        length = torch.tensor([len(content)], dtype=torch.int64, device=self.device)
        dist.broadcast(length, src=source)
        if not length.item():
            return b""
        buffer = torch.zeros(int(length.item()), dtype=torch.uint8, device=self.device)
        if self.rank == source:
            buffer.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        dist.broadcast(buffer, src=source)
        return buffer.cpu().numpy().tobytes()


def join() -> World:
    """Join the processes that torchrun or the SageMaker toolkit started; alone, this is a world of one.

    Raises WorldError where the number of processes is not what SM_HOSTS and the GPUs call for.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    _check_size(size)
    if torch.cuda.is_available():
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
    if size > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    return World(rank, size, device)


def leave() -> None:
    """End the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _check_size(size: int) -> None:
    hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))
    expected = len(hosts) * max(1, torch.cuda.device_count())
    if hosts and size != expected:
        raise WorldError(
            f"SM_HOSTS names {len(hosts)} hosts, which makes {expected} processes, but the world size is {size}: "
            "the hosts would train apart. Set the hyperparameter sagemaker_torch_distributed_enabled to true."
        )
