"""Pretrained weights: a .safetensors file, an artifact's, or ImageNet's, downloaded. No pickle is opened."""

import json
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from inference.artifact import sha256
from training.log import emit
from training.model.backbone import Backbone

STALLED_S = 60
"""A download that receives nothing for this long fails: the other hosts wait at most 120 s for this one."""

PICKLES = (".pth", ".pt", ".bin", ".pkl", ".pickle", ".ckpt", ".tar")
"""File names that torch.save is used with."""

_LABELS = "labels"


class WeightsError(Exception):
    """Pretrained weights are missing, unreadable or of another network. The message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Weights:
    state: Mapping[str, torch.Tensor]
    """Tensors by parameter name."""
    labels: str | None
    """What `labels_note` returned when the file was written; None if the file is not an artifact's."""
    source: str
    """The file, for error messages."""


def labels_note(labels: Sequence[str]) -> str:
    """Which breed each class of the head is, as text for the metadata of a .safetensors file."""
    return json.dumps(list(labels))


def metadata(labels: Sequence[str]) -> dict[str, str]:
    """Metadata to save with the weights of an artifact; `load` returns the labels from it."""
    return {"format": "pt", _LABELS: labels_note(labels)}


def load(pretrained: str, backbone: Backbone) -> Weights:
    """The weights in a .safetensors file, in the only such file of a folder, or "imagenet", which is downloaded once.

    Raises WeightsError if there are none, or they cannot be read.
    """
    path = _downloaded(backbone) if pretrained == "imagenet" else _file(Path(pretrained))
    try:
        with safe_open(path, framework="pt") as file:
            note = file.metadata() or {}
            state = {name.removeprefix("module."): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path} is not a .safetensors file, or is incomplete ({error}); download it again, or name another file. "
            "In an artifact it is model.safetensors."
        ) from error
    return Weights(state, note.get(_LABELS), pretrained)


def unfit(source: str, backbone: Backbone, reason: str) -> WeightsError:
    """The error for weights of another network."""
    return WeightsError(f"The weights in {source} are not those of {backbone.name}: {reason}. Name another file.")


def conversion(path: Path) -> str:
    """The command that converts a file of torch.save, a state dict or a dict that contains one, to .safetensors."""
    code = (
        "import sys, torch; from safetensors.torch import save_file; "
        'found = torch.load(sys.argv[1], map_location="cpu", weights_only=True); '
        'state = found.get("state_dict", found.get("model", found)); '
        "save_file({name: tensor.contiguous() for name, tensor in state.items()}, sys.argv[2])"
    )
    return shlex.join([sys.executable, "-c", code, str(path), str(path.with_suffix(".safetensors"))])


def _file(path: Path) -> Path:
    """The path, or the only file of weights if it is a folder, as SageMaker's channels are."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in (".safetensors", *PICKLES))
        usable = [each for each in files if each.suffix.lower() == ".safetensors"]
        if len(usable) > 1 or (not usable and len(files) != 1):
            found = ", ".join(each.name for each in files) or "no weights"
            raise WeightsError(f"{path} contains {found}; it must contain exactly one .safetensors file.")
        (path,) = usable or files
    if not path.is_file():
        raise WeightsError(
            f"The file of pretrained weights {path} does not exist; name a file, `imagenet` or `none` (--pretrained)."
        )
    if path.suffix.lower() in PICKLES:
        raise WeightsError(
            f"{path} is a pickle, which can run code when it is loaded, so it was not opened. If you trust it, convert "
            f"it to .safetensors with: {conversion(path)}"
        )
    return path


def _downloaded(backbone: Backbone) -> Path:
    published = backbone.imagenet
    if published is None:
        raise WeightsError(
            f"There are no ImageNet weights to download for {backbone.name}; name a file (--pretrained)."
        )
    path = Path(torch.hub.get_dir()) / "checkpoints" / f"{published.name}-{published.sha256[:8]}.safetensors"
    timeout = socket.getdefaulttimeout()
    try:
        if path.exists() and sha256(path.read_bytes()) == published.sha256:
            return path
        emit(stage="weights", download=published.url)
        path.parent.mkdir(parents=True, exist_ok=True)
        socket.setdefaulttimeout(STALLED_S)
        # to a temporary name, checked, then renamed: two processes of a host do not disturb each other
        torch.hub.download_url_to_file(published.url, str(path), hash_prefix=published.sha256, progress=False)
    except Exception as error:  # no network, no space on the disk, a wrong checksum
        raise WeightsError(
            f"The ImageNet weights could not be downloaded from {published.url} ({error}); download the file on "
            "another machine and pass it with --pretrained FILE (in a deploy: the setting training.pretrained_uri)."
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
    return path
