"""A second backbone: small, so that tests are fast, and without a layer of ResNet50's name, to test `Backbone`."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from training.model.backbone import RESNET50, Backbone, GlobalAveragePool

WIDTH = 256


def separable(channels: int, wider: int) -> nn.Sequential:
    """A depthwise-separable convolution as in MobileNet, which halves height and width."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.Conv2d(channels, wider, 1, bias=False),
        nn.BatchNorm2d(wider),
        nn.Hardswish(),
    )


class SmallNetwork(nn.Module):
    """(n, 3, size, size) photos to (n, classes) logits. Its head has two layers, and no block is residual."""

    def __init__(self, classes: int, *, channels: int = 16) -> None:
        super().__init__()
        convolution = nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False)
        self.stem = nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.Hardswish())
        self.early = separable(channels, 64)
        self.late = separable(64, WIDTH)
        self.classifier = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, classes))

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.late(self.early(self.stem(photos))).mean((2, 3)))
        return logits


def _feature_layers(model: nn.Module) -> nn.Module:
    assert isinstance(model, SmallNetwork)
    return nn.Sequential(model.stem, model.early, model.late, GlobalAveragePool())


SMALL = Backbone(
    name="the small network",
    build=lambda classes, _: SmallNetwork(classes),
    head="classifier",
    width=WIDTH,
    stages={"stem": 0.1, "early": 0.2, "late": 0.5},
    feature_layers=_feature_layers,
    norm_layers=(nn.BatchNorm2d,),
)


def write_weights(path: Path, make: Callable[[], nn.Module] = lambda: SmallNetwork(5)) -> Path:
    """Random weights of the network that `make` builds, the same each time, as a file for `--pretrained`."""
    torch.manual_seed(7)
    save_file(make().state_dict(), path)
    return path


def resnet50() -> nn.Module:
    """The shipped network, for tests of its size or of the program as it is started by users."""
    return RESNET50.build(2, False)
