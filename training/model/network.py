"""The network of a run: built, filled with pretrained weights, and prepared for training or for feature extraction."""

import copy
import hashlib
from collections.abc import Sequence
from itertools import pairwise

from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from training.model import weights
from training.model.backbone import RESNET50, Backbone
from training.model.weights import Weights
from training.model.weights_file import misfit, unfit


def build(classes: int, pretrained: str, backbone: Backbone = RESNET50) -> nn.Module:
    """The backbone with a new head of `classes` outputs.

    `pretrained` is what `weights.load` takes, or "none". Raises WeightsError if the weights are missing, unreadable or
    of another network, and BackboneError if the network has a parameter outside the declared stages.
    """
    model = backbone.build(classes, pretrained != "none")
    for name, _ in model.named_parameters():
        backbone.rate_share(name)
    if pretrained != "none":
        _fill(model, weights.load(pretrained, backbone), backbone)
    return model


def keep_head(model: nn.Module, pretrained: str, labels: Sequence[str], backbone: Backbone = RESNET50) -> str:
    """Load the head too, if `pretrained` is the model.safetensors of an artifact for exactly these labels.

    Returns what happened to the head in the file, for the log; an empty string if the file has none, or one with as
    many classes as ImageNet's, which is always replaced. Raises WeightsError if the head does not fit.
    """
    if pretrained in ("imagenet", "none"):
        return ""
    given, head = weights.load(pretrained, backbone), backbone.head_of(model)
    wanted = list(head.state_dict())
    if not weights.is_of_breeds(given.labels, labels):
        last = given.state.get(f"{backbone.head}.{wanted[-1]}")
        classes = len(last) if last is not None and last.ndim else 0
        if given.labels is not None:
            return "dropped: it was trained for other breeds, or for another order of them; a new head is trained"
        if classes == 0 or (backbone.imagenet and classes == backbone.imagenet.classes):
            return ""
        return f"dropped: the file does not say which breeds its {classes} classes are; a new head is trained"
    try:
        state = {name: given.state[f"{backbone.head}.{name}"] for name in wanted}
        head.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise unfit(given.source, backbone.name, f"its head is not one of {len(labels)} classes") from error
    if not all(tensor.isfinite().all() for tensor in state.values()):
        raise unfit(given.source, backbone.name, "its head contains values that are not finite")
    return "kept: the weights come from an artifact for the same breeds"


def set_train_mode(network: nn.Module, *, frozen_norms: tuple[type[nn.Module], ...]) -> None:
    """Training mode, in which layers of the types `frozen_norms` keep their statistics.

    Statistics of one batch are those of a few dozen photos: with them the same photo gives slightly different features
    each time, which fit the pretrained layers behind worse (docs/decisions/0031). Kept statistics also make a photo's
    output independent of its batch, and so of the number of processes.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, frozen_norms):
            module.eval()


def fingerprint(model: nn.Module) -> str:
    """16 hex digits of all weights: equal if two runs start from the same ones."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def folded(layers: nn.Module) -> nn.Module:
    """A copy in evaluation mode, with each batch norm fused into the convolution before it: a fifth fewer passes over
    memory."""
    layers = copy.deepcopy(layers).eval()
    for module in list(layers.modules()):
        for (before, conv), (name, norm) in pairwise(list(module.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, before, fuse_conv_bn_eval(conv, norm))
                setattr(module, name, nn.Identity())
    return layers


def _fill(model: nn.Module, given: Weights, backbone: Backbone) -> None:
    own = model.state_dict()
    reason = misfit(
        {name: tuple(tensor.shape) for name, tensor in given.state.items()},
        {name: tuple(tensor.shape) for name, tensor in own.items()},
        in_head=backbone.in_head,
    )
    if reason:
        raise unfit(given.source, backbone.name, reason)
    state = {name: tensor for name, tensor in given.state.items() if not backbone.in_head(name)}
    for name, found in state.items():
        if not found.isfinite().all():
            raise unfit(given.source, backbone.name, f"{name} contains values that are not finite")
        state[name] = found.to(own[name].dtype)
    model.load_state_dict(state, strict=False)
