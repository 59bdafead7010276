"""ResNet50: built, filled with pretrained weights, and split into a backbone and a head."""

import copy
import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval
from torchvision.models import ResNet, ResNet50_Weights, resnet50

_LABELS = "labels"

FEATURES = 2048
"""Channels that ResNet50's average pooling gives to its head."""

IMAGENET_CLASSES = 1000


class WeightsError(Exception):
    """Pretrained weights that cannot be had or do not fit. The message is one sentence with the remedy."""


def build(classes: int, pretrained: str) -> ResNet:
    """A torchvision ResNet50 with a fresh head of `classes` outputs.

    `pretrained` is a file (or a folder with one file) of torchvision resnet50 weights, "imagenet" for torchvision's own
    download, or "none". Raises WeightsError where the weights are missing, unreadable or another network's.
    """
    model = resnet50(weights=None, num_classes=classes, zero_init_residual=pretrained == "none")
    if pretrained != "none":
        found = _download() if pretrained == "imagenet" else _read(_only_file(Path(pretrained)))
        _fill(model, found, pretrained)
    return model


def labelled(labels: Sequence[str]) -> dict[str, str]:
    """The note in a safetensors file that tells `keep_head` which class is which."""
    return {"format": "pt", _LABELS: json.dumps(list(labels))}


def keep_head(model: ResNet, pretrained: str, labels: Sequence[str]) -> str:
    """Give the model the head, too, where `pretrained` is an artifact's model.safetensors for these very labels.

    `build` has taken the backbone from it. Returns what became of the file's head, for the log; nothing where it has
    none or ImageNet's, which nobody misses. Raises WeightsError for an unfit one.
    """
    if pretrained in ("imagenet", "none"):
        return ""
    path = _only_file(Path(pretrained))
    wanted, given = labelled(labels)[_LABELS], _labels_in(path)
    state = _state(_read(path), pretrained)
    if given != wanted:
        bias = state.get("fc.bias")
        classes = len(bias) if isinstance(bias, torch.Tensor) and bias.ndim == 1 else 0
        if given is not None:
            return "dropped: the file's is for other breeds, or in another order, so a fresh one learns"
        if classes in (0, IMAGENET_CLASSES):
            return ""
        return f"dropped: the file does not say which breeds its {classes} classes are, so a fresh one learns"
    try:
        head = {name: state[f"fc.{name}"] for name in ("weight", "bias")}
        model.fc.load_state_dict(head)
    except (KeyError, RuntimeError) as error:
        raise _unfit(pretrained, f"its head is not one of {len(labels)} classes") from error
    if not all(tensor.isfinite().all() for tensor in head.values()):
        raise _unfit(pretrained, "its head holds values that are not finite")
    return "kept: the weights are an artifact's that knows these very breeds"


def begin_epoch(network: nn.Module, *, pretrained: bool) -> None:
    """Training mode; the norm layers of a pretrained network keep the statistics that came with its weights.

    A batch's own statistics are those of a few dozen photos: over them the same photo comes out a little different each
    time, and what the layers behind have learnt from millions fits it less (docs/decisions/0031). Kept ones also make a
    photo's outputs independent of its batch, and so of how many processes share it.
    """
    network.train()
    if pretrained:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def fingerprint(model: ResNet) -> str:
    """16 hex digits of all weights: equal where two runs start from the same ones."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def folded_backbone(model: ResNet) -> nn.Sequential:
    """A copy of all but the pooling and the head, in evaluation mode, with each norm layer folded into the convolution
    before it: a fifth fewer passes over memory."""
    layers = copy.deepcopy(nn.Sequential(*list(model.children())[:-2])).eval()
    for block in list(layers.modules()):
        children = list(block.named_children())
        for (before, conv), (name, norm) in pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(block, before, fuse_conv_bn_eval(conv, norm))
                setattr(block, name, nn.Identity())
    return layers


def _labels_in(path: Path) -> str | None:
    if path.suffix != ".safetensors":
        return None
    with safe_open(path, framework="pt") as file:
        return (file.metadata() or {}).get(_LABELS)


def _state(found: object, source: str) -> dict[str, Any]:
    """The state dict by torchvision's names, whatever a training script has put around it."""
    if isinstance(found, Mapping):  # some training scripts save the state dict among other things
        found = next((found[key] for key in ("state_dict", "model") if isinstance(found.get(key), Mapping)), found)
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise _unfit(source, "it is no state dict")
    return {name.removeprefix("module."): tensor for name, tensor in found.items()}


def _fill(model: ResNet, found: object, source: str) -> None:
    # not the head: its classes may be others than ours
    state = {name: tensor for name, tensor in _state(found, source).items() if not name.startswith("fc.")}
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("fc.")}
    if deeper := sorted(state.keys() - wanted.keys()):
        raise _unfit(source, f"{deeper[0]} is not part of it")
    for name, tensor in wanted.items():
        given = state.get(name)
        if given is None and name.endswith("num_batches_tracked"):
            continue
        if not isinstance(given, torch.Tensor):
            raise _unfit(source, f"{name} is missing")
        if given.shape != tensor.shape:
            raise _unfit(source, f"{name} has the shape {tuple(given.shape)}, not {tuple(tensor.shape)}")
        if not given.isfinite().all():
            raise _unfit(source, f"{name} holds values that are not finite")
        state[name] = given.to(tensor.dtype)
    model.load_state_dict({name: state[name] for name in wanted if name in state}, strict=False)


def _unfit(source: str, reason: str) -> WeightsError:
    return WeightsError(f"The weights in {source} are not torchvision's resnet50: {reason}. Give another file.")


def _only_file(path: Path) -> Path:
    """A channel is a folder; the weights are the one file in it."""
    if not path.is_dir():
        return path
    files = sorted(p for p in path.iterdir() if p.suffix in (".safetensors", ".pth", ".pt"))
    if len(files) != 1:
        raise WeightsError(
            f"{path} holds {len(files)} files of weights (.safetensors, .pth); it must hold exactly one."
        )
    return files[0]


def _read(path: Path) -> object:
    if not path.is_file():
        raise WeightsError(
            f"There is no file of pretrained weights {path}; give a file, `imagenet` or `none` (--pretrained)."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # torchvision publishes .pth only. weights_only admits tensors and nothing that can run.
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors and is not opened, since it could run code; give a state dict, or a "
            ".safetensors file."
        ) from error
    except Exception as error:  # either reader raises a dozen types over bad bytes
        raise WeightsError(
            f"{path} is not a readable file of weights ({type(error).__name__}); get it again."
        ) from error


def _download() -> object:
    # V1, not V2: the long recipe of V2 scores higher on ImageNet, but its features transfer worse to a linear head.
    weights = ResNet50_Weights.IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # no network, no room, a wrong checksum
        raise WeightsError(
            f"torchvision's weights cannot be had from {weights.url} ({error}); fetch the file elsewhere "
            "and pass it with --pretrained FILE."
        ) from error
