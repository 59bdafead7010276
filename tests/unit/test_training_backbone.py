"""What the declaration of a backbone promises to the rest of the training."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck

from contract.options import RECIPES
from tests.distributed.small_network import SMALL, SmallNetwork
from training.model.backbone import RESNET50, Backbone
from training.model.network import build
from training.optim import adamw


class WithToken(SmallNetwork):
    """A parameter of the network itself, such as the class token of a vision transformer."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 8))


def with_token(**stages: float) -> Backbone:
    return replace(SMALL, build=lambda classes, _: WithToken(classes), stages={**SMALL.stages, **stages})


def test_a_parameter_of_the_network_itself_can_be_a_stage() -> None:
    backbone = with_token(class_token=0.25)
    network = build(3, "none", backbone)
    optimizer = adamw(network, RECIPES["full"], backbone.rate_share)
    token = id(network.get_parameter("class_token"))
    (peak,) = [group["peak"] for group in optimizer.param_groups if token in map(id, group["params"])]
    assert peak == pytest.approx(0.25 * RECIPES["full"].learning_rate)


@pytest.mark.parametrize(("pretrained", "expected"), [(False, 0.0), (True, 1.0)])
def test_residual_blocks_start_as_the_identity_from_random_weights_alone(pretrained: bool, expected: float) -> None:
    """Weights that a file lacks would silence the block, so with pretrained weights the norm starts at 1."""
    blocks = [module for module in RESNET50.build(3, pretrained).modules() if isinstance(module, Bottleneck)]
    assert len(blocks) == 16
    for block in blocks:
        # exact: the weights are assigned, not computed
        assert torch.equal(block.bn3.weight, torch.full_like(block.bn3.weight, expected))
