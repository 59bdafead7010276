"""What the processes of these tests run."""

import sys
from typing import NoReturn

import torch
from safetensors.torch import load_file, save_file

from tests.distributed.small_network import SMALL
from training import distributed, train
from training.config import Config
from training.signals import Stop

WEIGHTS = "weights.safetensors"


def weights_of(config: Config) -> dict[str, float]:
    """Train the small network, and write the weights of the best epoch to the model folder, without exporting them."""
    world = distributed.join()
    trained = train.fit(config, world, Stop(), backbone=SMALL)
    distributed.leave()
    if world.is_first:
        state = {name: tensor.contiguous() for name, tensor in trained.model.state_dict().items()}
        save_file(state, config.model_dir / WEIGHTS)
    return trained.metrics


def main(config: Config) -> NoReturn:
    """The whole program with the small network, to its exit status."""
    sys.exit(train.main(config, backbone=SMALL))


def read_weights(config: Config) -> dict[str, torch.Tensor]:
    return dict(load_file(config.model_dir / WEIGHTS))


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of any weight."""
    assert one.keys() == other.keys()
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def lines(log: str, first: str) -> list[dict[str, str]]:
    """The fields of each log line that begins with `first`."""
    return [
        dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
        for line in log.splitlines()
        if line.startswith(first)
    ]
