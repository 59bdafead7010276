"""Fine-tuning starts from a fitted head, which is kept if no epoch improves on it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.distributed import ranks, work
from tests.distributed.dogs import settings, write_photos
from tests.distributed.small_network import SMALL, write_weights
from training.config import Config
from training.data.dataset import DataError
from training.distributed import World
from training.signals import Stop
from training.train import Trained, fit


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    return settings(tmp_path, mode="full", label_smoothing=0.0)


def trained(config: Config) -> Trained:
    return fit(config, World(0, 1, torch.device("cpu")), Stop(), backbone=SMALL)


def test_the_network_recognises_breeds_before_its_first_step(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    start = trained(config).history[0]
    (logged,) = work.lines(capsys.readouterr().out, "stage=head")
    assert start["epoch"] == 0
    assert start["valid_accuracy"] >= 0.6  # by chance it would be a third
    assert logged["valid_accuracy"] == f"{start['valid_accuracy']:.4f}"


def test_fine_tuning_that_makes_the_network_worse_keeps_the_fitted_head(config: Config) -> None:
    assert trained(replace(config, learning_rate=1.0)).metrics["epoch"] == 0


def test_unreadable_photos_are_logged_if_all_of_them_are(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (config.data / "train").rglob("*.jpg"):
        path.write_bytes(b"no photo")
    with pytest.raises(DataError, match="No photo in train/ can be decoded; the log lists the skipped photos"):
        trained(config)
    assert len(work.lines(capsys.readouterr().out, "skipped=")) == 18


def test_two_processes_start_with_the_same_head_as_one(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    losses = []
    for size in (1, 2):
        run = settings(tmp_path, mode="full", epochs=1)
        ranks.run(work.weights_of, run, size=size, folder=tmp_path / f"logs-{size}")
        (head,) = work.lines((tmp_path / f"logs-{size}" / "rank-0.log").read_text(), "stage=head")
        losses.append(float(head["valid_loss"]))
    # Two processes add up the losses of the photos in another order, so the last digit that is printed may differ.
    assert losses[0] == pytest.approx(losses[1], abs=2e-4)


def statistics_of(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in weights.items() if name.endswith(("running_mean", "running_var"))}


def test_fine_tuning_keeps_the_statistics_of_norm_layers_and_training_from_scratch_does_not(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    given = statistics_of(load_file(tmp_path / "weights.safetensors"))
    for pretrained, kept in ((str(tmp_path / "weights.safetensors"), True), ("none", False)):
        config = settings(tmp_path, mode="full", pretrained=pretrained, learning_rate=0.01)
        ranks.run(work.weights_of, config, size=2, folder=tmp_path / f"logs-{kept}")
        trained_weights = work.read_weights(config)
        found = statistics_of(trained_weights)
        # exact: frozen statistics are copied from the file and never updated
        assert all(torch.equal(found[name], given[name]) for name in given) == kept
        assert len(given) == 10  # mean and variance of five layers
