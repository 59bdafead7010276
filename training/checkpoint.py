"""Checkpoints: written whole or not at all, newest sound one first, tensors only.

    FOLDER/<run>/epoch-000007-000012-<SHA-256 of the content>.safetensors

holds what was learnt in seven whole epochs and the first twelve steps of the next. `run` names all that decides the
weights of a training run, so that two runs may share a folder and neither is taken for the other.
"""

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from inference.artifact import sha256
from training.distributed import World

_NAME = re.compile(r"^epoch-(\d{6})-(\d{6})-([0-9a-f]{16})\.safetensors$")
_META = "meta"
LAYOUT = 2
"""Counted up when what `train.py` saves changes, so that no run goes on from what older code has written."""

KEPT = 2
"""The newest, and the one before it in case the newest cannot be read."""


class CheckpointError(Exception):
    """A checkpoint that cannot be written. The message is one sentence with the remedy."""


@dataclass(frozen=True, order=True, slots=True)
class Progress:
    """How far a run has come."""

    epochs: int = 0
    """Whole ones."""
    steps: int = 0
    """Of the next one. All of them, where it was not yet judged."""


def write(
    folder: Path, run: str, progress: Progress, tensors: Mapping[str, torch.Tensor], meta: Mapping[str, Any]
) -> None:
    """Save a state: to a temporary name, synced, renamed; a kill at any moment leaves the one before whole.

    Raises CheckpointError where the folder cannot be written; earlier checkpoints are then as they were.
    """
    note = torch.frombuffer(bytearray(json.dumps({**meta, **asdict(progress)}).encode()), dtype=torch.uint8)
    content = save({**{name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, _META: note})
    at = f"epoch-{progress.epochs:06d}-{progress.steps:06d}"
    final = folder / run / f"{at}-{sha256(content)[:16]}.safetensors"
    temporary = final.with_name("partial")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(final)
        for old in _saved(final.parent)[KEPT:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise CheckpointError(
            f"The checkpoint {at} cannot be written into {folder} ({error.strerror}); make room there, or name another "
            "--checkpoint-dir. The same command then goes on after the checkpoint before it."
        ) from error


def newest(folder: Path, run: str, world: World) -> tuple[Progress, dict[str, torch.Tensor], dict[str, Any]] | None:
    """The run's newest checkpoint that is whole, the same in every process; None where there is none.

    Rank 0 reads it and passes it on: only its host is sure to hold the file.
    """
    content = b""
    if world.is_first:
        content = next((found for found in map(_whole, _saved(folder / run)) if found), b"")
    content = world.broadcast(content)
    if not content:
        return None
    tensors = load(content)
    meta = json.loads(bytes(tensors.pop(_META).tolist()))
    return Progress(meta.pop("epochs"), meta.pop("steps")), tensors, meta


def others(folder: Path, run: str) -> list[str]:
    """Other runs that have checkpoints in the folder."""
    return (
        sorted(path.name for path in folder.iterdir() if path.name != run and _saved(path)) if folder.is_dir() else []
    )


def _whole(path: Path) -> bytes | None:
    name = _NAME.match(path.name)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if name and sha256(content)[:16] == name[3] else None


def _saved(folder: Path) -> list[Path]:
    """Newest first; two of the same step only where the machine differs, and then either will do."""
    found = [path for path in folder.iterdir() if _NAME.match(path.name)] if folder.is_dir() else []
    return sorted(found, reverse=True)


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """An optimizer's state as tensors named optimizer.<parameter>.<field>."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, values in state.items()
        for name, value in values.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """The inverse of `flatten_optimizer`."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            parameter = parameters[int(index)]
            if tensor.shape == parameter.shape:  # in the parameter's memory order: another one sums in another order
                tensor = torch.empty_like(parameter).copy_(tensor)
            state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
