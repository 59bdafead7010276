"""Checkpoints: written completely or not at all, and found by their newest undamaged file. They contain only tensors.

    FOLDER/<run>/epoch-000007-000012-<SHA-256 of the content>.safetensors

is the state after seven epochs and twelve steps of the next one. `run` is a digest of all that decides the weights, so
two runs may share a folder and neither resumes from the other's checkpoints.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load

from inference.artifact import sha256
from training.distributed import World

_NAME = re.compile(r"^epoch-(\d{6})-(\d{6})-([0-9a-f]{16})\.safetensors$")
_META = "meta"
LAYOUT = 2
"""Increased when the content of a checkpoint changes, so that no run resumes from one that older code wrote."""

KEPT = 2
"""Checkpoints per run: the newest, and the one before it in case the newest is damaged."""


_TYPES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.uint8: "U8"}
"""The names that the format has for the types of a checkpoint's tensors."""


class CheckpointError(Exception):
    """A checkpoint cannot be written. The message is one sentence with the remedy."""


@dataclass(frozen=True, order=True, slots=True)
class Progress:
    """How far a run has got."""

    epochs: int = 0
    """Completed epochs."""
    steps: int = 0
    """Steps taken in the next epoch; all of them if only its evaluation is missing."""


class Saved(NamedTuple):
    """A checkpoint as read."""

    progress: Progress
    tensors: dict[str, torch.Tensor]
    meta: dict[str, Any]


def write(
    folder: Path, run: str, progress: Progress, tensors: Mapping[str, torch.Tensor], meta: Mapping[str, Any]
) -> None:
    """Write to a temporary name, sync, rename: a kill at any moment leaves the previous checkpoint intact.

    Other threads run meanwhile, because each step releases the interpreter lock.

    tensors: in host memory, each contiguous and with memory of its own.

    Raises CheckpointError if the folder cannot be written; earlier checkpoints are then unchanged.
    """
    note = torch.frombuffer(bytearray(json.dumps({**meta, **asdict(progress)}).encode()), dtype=torch.uint8)
    at = f"epoch-{progress.epochs:06d}-{progress.steps:06d}"
    temporary = folder / run / "partial"
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with temporary.open("wb") as file:
            for part in safetensors_parts({**tensors, _META: note}):
                digest.update(part)
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(temporary.with_name(f"{at}-{digest.hexdigest()[:16]}.safetensors"))
        for old in _saved(temporary.parent)[KEPT:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise CheckpointError(
            f"The checkpoint {at} cannot be written into {folder} ({error.strerror}); free some space, or name another "
            "--checkpoint-dir. The same command then resumes from the previous checkpoint."
        ) from error


def safetensors_parts(tensors: Mapping[str, torch.Tensor]) -> Iterator[bytes | memoryview]:
    """The content of a .safetensors file, in parts that need no copy of the tensors
    (https://github.com/huggingface/safetensors#format).

    The library's `save` holds the interpreter lock while it copies everything, which would stop the training. Its
    `save_file` writes to a name of its own choice, which a kill leaves behind, and hides the number of an OSError.
    """
    header: dict[str, Any] = {}
    offset = 0
    ordered = sorted(tensors.items(), key=lambda item: -item[1].itemsize)  # so that each is aligned to its type
    for name, tensor in ordered:
        place = {"data_offsets": [offset, offset + tensor.nbytes]}
        header[name] = {"dtype": _TYPES[tensor.dtype], "shape": list(tensor.shape), **place}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for _, tensor in ordered:
        yield tensor.reshape(-1).view(torch.uint8).numpy().data


def newest(folder: Path, run: str, world: World) -> Saved | None:
    """The newest undamaged checkpoint of the run, the same in every process; None if there is none.

    Rank 0 reads the file and broadcasts it: only its host is certain to have it.
    """
    content = b""
    if world.is_first:
        content = next((found for found in map(_undamaged, _saved(folder / run)) if found), b"")
    content = world.broadcast(content)
    if not content:
        return None
    tensors = load(content)
    meta = json.loads(bytes(tensors.pop(_META).tolist()))
    return Saved(Progress(meta.pop("epochs"), meta.pop("steps")), tensors, meta)


def others(folder: Path, run: str) -> list[str]:
    """The other runs with checkpoints in the folder."""
    return (
        sorted(path.name for path in folder.iterdir() if path.name != run and _saved(path)) if folder.is_dir() else []
    )


def _undamaged(path: Path) -> bytes | None:
    name = _NAME.match(path.name)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if name and sha256(content)[:16] == name[3] else None


def _saved(folder: Path) -> list[Path]:
    """Newest first. Two files of the same step come from different machines; either will do."""
    found = [path for path in folder.iterdir() if _NAME.match(path.name)] if folder.is_dir() else []
    return sorted(found, reverse=True)


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The state of an optimiser as tensors named optimizer.<parameter>.<field>."""
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
            if tensor.shape == parameter.shape:  # same memory order as the parameter: another order adds up differently
                tensor = torch.empty_like(parameter).copy_(tensor)
            state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
