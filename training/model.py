"""ResNet50: built, filled with pretrained weights, and split into a backbone and a head."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torchvision.models import ResNet, ResNet50_Weights, resnet50

FEATURES = 2048
"""Channels that ResNet50's average pooling gives to its head."""


class WeightsError(Exception):
    """Pretrained weights that cannot be had or do not fit. The message is one sentence with the remedy."""


def build(classes: int, pretrained: str) -> ResNet:
    """A torchvision ResNet50 with a fresh head of `classes` outputs.

    `pretrained` is a file (or a folder with one file) of torchvision resnet50 weights, "imagenet" for torchvision's own
    download, or "none". Raises WeightsError where the weights are missing, unreadable or another network's.
    """
    model = resnet50(weights=None, num_classes=classes, zero_init_residual=pretrained == "none")
    if pretrained != "none":
        state = _download() if pretrained == "imagenet" else _read(_only_file(Path(pretrained)))
        _fill(model, state, pretrained)
    return model


def _fill(model: ResNet, state: dict[str, torch.Tensor], source: str) -> None:
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    state = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}  # their classes, not ours
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("fc.")}
    for name, tensor in wanted.items():
        found = state.get(name)
        if found is None and name.endswith("num_batches_tracked"):
            continue
        if found is None or found.shape != tensor.shape:
            detail = "is missing" if found is None else f"has the shape {tuple(found.shape)}, not {tuple(tensor.shape)}"
            raise WeightsError(
                f"The weights in {source} are not torchvision's resnet50: {name} {detail}. Give another file."
            )
        state[name] = found.to(tensor.dtype)
    model.load_state_dict({name: state[name] for name in wanted if name in state}, strict=False)


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


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise WeightsError(
            f"There is no file of pretrained weights {path}; give a file, `imagenet` or `none` (--pretrained)."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # torchvision publishes .pth only. weights_only admits tensors and nothing that can run.
        state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise WeightsError(
            f"{path} is not a readable file of weights ({type(error).__name__}); get it again."
        ) from error
    except Exception as error:  # pickle.UnpicklingError: more than tensors is in the file
        raise WeightsError(
            f"{path} holds more than tensors and is not opened; give a state dict or a .safetensors."
        ) from error
    return state


def _download() -> dict[str, torch.Tensor]:
    # V1, not V2: the long recipe of V2 scores higher on ImageNet, but its features transfer worse to a linear head.
    weights = ResNet50_Weights.IMAGENET1K_V1
    try:
        state: dict[str, torch.Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except OSError as error:
        raise WeightsError(
            f"torchvision's weights cannot be downloaded from {weights.url} ({error}); fetch the file elsewhere "
            "and pass it with --pretrained FILE."
        ) from error
    return state
