"""Pretrained weights: safetensors from a file, from an artifact or from ImageNet's. No pickle is opened."""

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

IMAGENET = (
    "https://huggingface.co/timm/resnet50.tv_in1k/resolve/78f3ecfdb38e06d9b8397f662e7ab8fee96026fa/model.safetensors"
)
"""timm's copy of torchvision's IMAGENET1K_V1, which torchvision itself publishes as a pickle alone. V1, not V2: the
long recipe of V2 scores higher on ImageNet, but its features transfer worse to a linear head."""

IMAGENET_SHA256 = "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888"

STALLED_S = 60
"""Without a byte, after which a download is given up: the other hosts wait 120 s for this one."""

PICKLES = (".pth", ".pt", ".bin", ".pkl", ".pickle", ".ckpt", ".tar")
"""What torch.save's files are called."""

_LABELS = "labels"


class WeightsError(Exception):
    """Pretrained weights that cannot be had or do not fit. The message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Weights:
    state: Mapping[str, torch.Tensor]
    """By the names that torchvision gives them."""
    labels: str | None
    """The note of `labelled`, where the file has one: an artifact's model.safetensors does."""
    source: str
    """For people."""


def labelled(labels: Sequence[str]) -> str:
    """The note in an artifact's model.safetensors: which breed each class of the head is."""
    return json.dumps(list(labels))


def metadata(labels: Sequence[str]) -> dict[str, str]:
    """What to write beside the weights, so that `load` finds the note."""
    return {"format": "pt", _LABELS: labelled(labels)}


def load(pretrained: str) -> Weights:
    """The weights of a .safetensors file, of the one such file in a folder, or "imagenet", which is downloaded once.

    Raises WeightsError where there are none, or they cannot be read.
    """
    path = _downloaded() if pretrained == "imagenet" else _file(Path(pretrained))
    try:
        with safe_open(path, framework="pt") as file:
            note = file.metadata() or {}
            state = {name.removeprefix("module."): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path} is no .safetensors file, or is cut off ({error}); give another, or get it again. An artifact's is "
            "the model.safetensors within."
        ) from error
    return Weights(state, note.get(_LABELS), pretrained)


def unfit(source: str, reason: str) -> WeightsError:
    """For weights of something else."""
    return WeightsError(f"The weights in {source} are not torchvision's resnet50: {reason}. Give another file.")


def conversion(path: Path) -> str:
    """The command that makes a .safetensors file of what torch.save has written: a state dict, or one among more."""
    code = (
        "import sys, torch; from safetensors.torch import save_file; "
        'found = torch.load(sys.argv[1], map_location="cpu", weights_only=True); '
        'state = found.get("state_dict", found.get("model", found)); '
        "save_file({name: tensor.contiguous() for name, tensor in state.items()}, sys.argv[2])"
    )
    return shlex.join([sys.executable, "-c", code, str(path), str(path.with_suffix(".safetensors"))])


def _file(path: Path) -> Path:
    """A channel is a folder; the weights are the one file in it."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in (".safetensors", *PICKLES))
        sound = [each for each in files if each.suffix.lower() == ".safetensors"]
        if len(sound) > 1 or (not sound and len(files) != 1):
            held = ", ".join(each.name for each in files) or "no weights"
            raise WeightsError(f"{path} holds {held}; it must hold exactly one .safetensors file.")
        (path,) = sound or files
    if not path.is_file():
        raise WeightsError(
            f"There is no file of pretrained weights {path}; give a file, `imagenet` or `none` (--pretrained)."
        )
    if path.suffix.lower() in PICKLES:
        raise WeightsError(
            f"{path} is a pickle, which can run code when it is read, so it is not opened; make a .safetensors file of "
            f"it, where you trust it: {conversion(path)}"
        )
    return path


def _downloaded() -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / f"resnet50-imagenet1k-v1-{IMAGENET_SHA256[:8]}.safetensors"
    patience = socket.getdefaulttimeout()
    try:
        if path.exists() and sha256(path.read_bytes()) == IMAGENET_SHA256:
            return path
        emit(stage="weights", download=IMAGENET)
        path.parent.mkdir(parents=True, exist_ok=True)
        socket.setdefaulttimeout(STALLED_S)
        # to a temporary name, checked, then renamed: two processes of a host do not meet
        torch.hub.download_url_to_file(IMAGENET, str(path), hash_prefix=IMAGENET_SHA256, progress=False)
    except Exception as error:  # no network, no room, a wrong checksum
        raise WeightsError(
            f"ImageNet's weights cannot be had from {IMAGENET} ({error}); fetch the file elsewhere and pass it with "
            "--pretrained FILE (a deploy: the setting training.pretrained_uri)."
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    return path
