"""ResNet50: built, filled with pretrained weights, and split into a backbone and a head."""

import copy
import hashlib
from collections.abc import Sequence
from itertools import pairwise

from torch import nn
from torch.nn.utils import fuse_conv_bn_eval
from torchvision.models import ResNet, resnet50

from training.model import weights
from training.model.weights import Weights, unfit

FEATURES = 2048
"""Channels that ResNet50's average pooling gives to its head."""

IMAGENET_CLASSES = 1000


def build(classes: int, pretrained: str) -> ResNet:
    """A torchvision ResNet50 with a fresh head of `classes` outputs.

    `pretrained` is what `weights.load` takes, or "none". Raises WeightsError where the weights are missing, unreadable
    or another network's.
    """
    model = resnet50(weights=None, num_classes=classes, zero_init_residual=pretrained == "none")
    if pretrained != "none":
        _fill(model, weights.load(pretrained))
    return model


def keep_head(model: ResNet, pretrained: str, labels: Sequence[str]) -> str:
    """Give the model the head, too, where `pretrained` is an artifact's model.safetensors for these very labels.

    `build` has taken the backbone from it. Returns what became of the file's head, for the log; nothing where it has
    none or ImageNet's, which nobody misses. Raises WeightsError for an unfit one.
    """
    if pretrained in ("imagenet", "none"):
        return ""
    given = weights.load(pretrained)
    if given.labels != weights.labelled(labels):
        bias = given.state.get("fc.bias")
        classes = len(bias) if bias is not None and bias.ndim == 1 else 0
        if given.labels is not None:
            return "dropped: the file's is for other breeds, or in another order, so a fresh one learns"
        if classes in (0, IMAGENET_CLASSES):
            return ""
        return f"dropped: the file does not say which breeds its {classes} classes are, so a fresh one learns"
    try:
        head = {name: given.state[f"fc.{name}"] for name in ("weight", "bias")}
        model.fc.load_state_dict(head)
    except (KeyError, RuntimeError) as error:
        raise unfit(given.source, f"its head is not one of {len(labels)} classes") from error
    if not all(tensor.isfinite().all() for tensor in head.values()):
        raise unfit(given.source, "its head holds values that are not finite")
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


def _fill(model: ResNet, given: Weights) -> None:
    # not the head: its classes may be others than ours
    state = {name: tensor for name, tensor in given.state.items() if not name.startswith("fc.")}
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("fc.")}
    if deeper := sorted(state.keys() - wanted.keys()):
        raise unfit(given.source, f"{deeper[0]} is not part of it")
    for name, tensor in wanted.items():
        found = state.get(name)
        if found is None and name.endswith("num_batches_tracked"):
            continue
        if found is None:
            raise unfit(given.source, f"{name} is missing")
        if found.shape != tensor.shape:
            raise unfit(given.source, f"{name} has the shape {tuple(found.shape)}, not {tuple(tensor.shape)}")
        if not found.isfinite().all():
            raise unfit(given.source, f"{name} holds values that are not finite")
        state[name] = found.to(tensor.dtype)
    model.load_state_dict({name: state[name] for name in wanted if name in state}, strict=False)
