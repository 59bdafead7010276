"""What the processes of these tests do."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors.torch import load_file, save_file
from torchvision.models import ResNet

from training import distributed, train
from training.config import Config

WEIGHTS = "weights.safetensors"


class ExportedError(Exception):
    """The training is over; what follows it is the subject of other tests."""


def weights_of(config: Config) -> dict[str, float]:
    """Train, and write the weights of the epoch that is kept in the artifact's place."""

    def export(model: ResNet, folder: Path, *, training: dict[str, Any], **_: Any) -> NoReturn:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / WEIGHTS)
        raise ExportedError(training["metrics"])

    train.export = export  # type: ignore[assignment, attr-defined]
    world = distributed.join()
    try:
        return train.train(config, world)
    except ExportedError as exported:
        return dict(exported.args[0])


def main(config: Config) -> NoReturn:
    """The whole program, to its exit status."""
    sys.exit(train.main(config))


def read_weights(config: Config) -> dict[str, torch.Tensor]:
    return dict(load_file(config.model_dir / WEIGHTS))


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest, over all weights."""
    assert one.keys() == other.keys()
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def lines(log: str, first: str) -> list[dict[str, str]]:
    """The fields of each line of the log that begins with `first`."""
    return [
        dict(pair.split("=", 1) for pair in line.split() if "=" in pair)
        for line in log.splitlines()
        if line.startswith(first)
    ]
