"""Checkpoints: written whole or not at all, newest sound one first, tensors only."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from training.distributed import World

_NAME = re.compile(r"^epoch-(\d{6})\.safetensors$")
_META = "meta"
KEPT = 2
"""The newest, and the one before it in case the newest cannot be read."""


def write(folder: Path, epoch: int, tensors: Mapping[str, torch.Tensor], meta: Mapping[str, Any]) -> None:
    """Save one epoch: to a temporary name, synced, renamed; a kill at any moment leaves the one before whole."""
    folder.mkdir(parents=True, exist_ok=True)
    note = torch.frombuffer(bytearray(json.dumps(dict(meta)).encode()), dtype=torch.uint8)
    content = save({**{name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, _META: note})
    final = folder / f"epoch-{epoch:06d}.safetensors"
    temporary = final.with_suffix(".partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(final)
    for old in _saved(folder)[KEPT:]:
        old.unlink(missing_ok=True)


def newest(folder: Path, world: World) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """The newest checkpoint that can be read, the same in every process; None where there is none.

    Rank 0 reads it and passes it on: only its host is sure to hold the file.
    """
    content = b""
    if world.is_first:
        content = next((c for c in map(_sound, _saved(folder)) if c), b"")
    content = world.broadcast(content)
    if not content:
        return None
    tensors = load(content)
    meta = json.loads(bytes(tensors.pop(_META).tolist()))
    return tensors, meta


def _sound(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
        load(content)
    except (OSError, SafetensorError, ValueError):
        return None
    return content


def _saved(folder: Path) -> list[Path]:
    """Newest first."""
    found = [p for p in folder.iterdir() if _NAME.match(p.name)] if folder.is_dir() else []
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
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
