"""The half precision of a GPU, on a CPU: fp16 and its loss scaler."""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.distributed import ranks, work
from tests.distributed.dogs import settings, write_photos
from tests.distributed.small_network import write_weights
from tests.distributed.test_failures import wait_for_checkpoint
from training import train
from training.config import Config
from training.precision import Precision


def fp16_weights_of(config: Config, scale: float) -> dict[str, Any]:
    """Like `work.weights_of`, in fp16 with a loss scale that starts at `scale` and doubles after four steps without an
    overflow. Returns the final state of the process's scaler; each skipped step has halved its scale."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=4)

    def precision(_: torch.device) -> Precision:
        def autocast() -> AbstractContextManager[Any]:
            return torch.autocast("cpu", dtype=torch.float16)

        return Precision(autocast, scaler)

    train.mixed_precision = precision  # type: ignore[assignment, attr-defined]
    work.weights_of(config)
    return dict(scaler.state_dict())


TOO_MUCH = 2.0**21
"""A loss scale at which the first gradients overflow, until it has been halved a few times."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    return settings(tmp_path, mode="full", epochs=6, learning_rate=2e-3, checkpoint_dir=tmp_path / "checkpoints")


def test_every_process_skips_the_same_steps(config: Config, tmp_path: Path) -> None:
    """A process that took a step which another skips would continue with different weights."""
    first, second = ranks.run(fp16_weights_of, config, TOO_MUCH, size=2, folder=tmp_path / "logs")
    log = (tmp_path / "logs" / "rank-0.log").read_text()
    losses = [float(line["train_loss"]) for line in work.lines(log, "epoch=")]

    assert first == second
    assert first["scale"] < TOO_MUCH
    assert losses[-1] < losses[0]  # the remaining steps train the network


def test_a_resumed_run_continues_with_its_loss_scale(config: Config, tmp_path: Path) -> None:
    """With the initial scale its next steps would be skipped, and the weights would differ."""
    (rank,) = ranks.start(fp16_weights_of, config, TOO_MUCH, size=1, folder=tmp_path / "killed")
    wait_for_checkpoint(tmp_path / "checkpoints", rank)
    rank.process.kill()
    assert rank.wait().status == -9
    (scale,) = ranks.run(fp16_weights_of, config, TOO_MUCH, size=1, folder=tmp_path / "resumed")
    assert "stage=resume epoch=" in (tmp_path / "resumed" / "rank-0.log").read_text()
    resumed = work.read_weights(config)

    whole = replace(config, checkpoint_dir=None)
    # exact: a loss scale is a power of two, halved and doubled
    assert ranks.run(fp16_weights_of, whole, TOO_MUCH, size=1, folder=tmp_path / "whole") == [scale]
    # exact: both runs do the same operations in the same order, with one thread.
    assert work.difference(resumed, work.read_weights(whole)) == 0
