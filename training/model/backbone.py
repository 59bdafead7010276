"""The backbone: which network is trained, and what the rest of the training needs to know about its layers.

Everything that depends on one architecture is declared here, once for each network: the names of its layers, their
widths, and which of torch's layers compute statistics. `network.folded` alone knows layers of torch too: it fuses any
convolution with the batch norm after it, whatever network they belong to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torchvision.models import resnet50

from contract.weights import RESNET50_IMAGENET, PublishedWeights


class BackboneError(Exception):
    """A network and its declaration do not fit. The message is one sentence with the remedy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backbone:
    """An architecture. The head is the last layer, one output per breed; every other layer belongs to a stage."""

    name: str
    """In error messages, and in the id of a run that starts from random weights."""
    build: Callable[[int, bool], nn.Module]
    """Called with the number of classes, and whether pretrained weights will be loaded. Returns the network with random
    weights: (n, 3, size, size) float32 photos to (n, classes) logits."""
    head: str
    """Name of the head, a module whose last parameter has one value per class. Input: (n, width) features."""
    width: int
    """Features of a photo: the size of the head's input."""
    stages: Mapping[str, float]
    """Top-level modules and parameters before the head, and the share of the head's learning rate at which each is
    fine-tuned. Modules without parameters need not be listed."""
    feature_layers: Callable[[nn.Module], nn.Module]
    """The layers before the head, of a network from `build`: photos to (n, width) float32 features. In each module a
    convolution followed by a batch norm must be its only input, because the two are fused to extract features."""
    norm_layers: tuple[type[nn.Module], ...]
    """Layers that compute statistics over a batch. When pretrained weights are fine-tuned, they keep the statistics
    that come with the weights. Empty if the network has no such layers."""
    imagenet: PublishedWeights | None = None
    """What `--pretrained imagenet` downloads."""

    def head_of(self, model: nn.Module) -> nn.Module:
        """The head of a network from `build`."""
        return model.get_submodule(self.head)

    def in_head(self, name: str) -> bool:
        """Whether a parameter or buffer of this name belongs to the head."""
        return name.startswith(f"{self.head}.")

    def rate_share(self, parameter: str) -> float:
        """The share of the learning rate at which a parameter is fine-tuned; 1 for the head.

        Raises BackboneError if the parameter belongs to no declared stage.
        """
        if self.in_head(parameter):
            return 1.0
        for stage, share in self.stages.items():
            if parameter == stage or parameter.startswith(f"{stage}."):
                return share
        raise BackboneError(
            f"The parameter {parameter} of {self.name} belongs neither to the head ({self.head}) nor to a stage "
            f"({', '.join(self.stages)}); add its stage to the declaration of the backbone."
        )


class GlobalAveragePool(nn.Module):
    """(n, channels, height, width) feature maps of any precision to (n, channels) float32 means."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.float().mean((2, 3))


def _build_resnet50(classes: int, pretrained: bool) -> nn.Module:
    # From random weights, each residual block starts as the identity (Goyal et al., 2017, section 5.1).
    model: nn.Module = resnet50(weights=None, num_classes=classes, zero_init_residual=not pretrained)
    return model


def _resnet50_feature_layers(model: nn.Module) -> nn.Module:
    *layers, _pool, _head = model.children()
    return nn.Sequential(*layers, GlobalAveragePool())


RESNET50 = Backbone(
    name="torchvision's resnet50",
    build=_build_resnet50,
    head="fc",
    width=2048,
    # The nearer a stage is to the pixels, the slower: any photo needs its edges and textures (docs/decisions/0031).
    stages={"conv1": 0.0125, "bn1": 0.0125, "layer1": 0.0125, "layer2": 0.025, "layer3": 0.05, "layer4": 0.1},
    feature_layers=_resnet50_feature_layers,
    norm_layers=(nn.BatchNorm2d,),
    imagenet=RESNET50_IMAGENET,
)
"""The network that is trained, exported and served."""
