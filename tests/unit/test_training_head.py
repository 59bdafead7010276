"""Fine-tuning starts from a fitted head, which is kept if no epoch improves on it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.distributed import ranks, work
from tests.distributed.dogs import settings, write_photos
from tests.distributed.small_network import SMALL, write_weights
from training.checkpoint import newest
from training.config import Config
from training.data.dataset import DataError
from training.distributed import World
from training.model.backbone import Backbone
from training.signals import Stop
from training.train import Trained, fit


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    return settings(tmp_path, mode="full", label_smoothing=0.0)


def trained(config: Config, backbone: Backbone = SMALL) -> Trained:
    return fit(config, World(0, 1, torch.device("cpu")), Stop(), backbone=backbone)


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


def starting_weights(config: Config) -> dict[str, torch.Tensor]:
    if config.starts_pretrained:
        return dict(load_file(config.pretrained))
    torch.manual_seed(config.seed)
    return dict(SMALL.build(3, False).state_dict())


def weights_after_the_last_step(config: Config, backbone: Backbone) -> dict[str, torch.Tensor]:
    """Those of the last checkpoint: the epoch that is kept may be the one before the first step."""
    checkpoints = config.model_dir.parent / "checkpoints"
    run = trained(replace(config, checkpoint_dir=checkpoints), backbone).run
    saved = newest(checkpoints, run, World(0, 1, torch.device("cpu")))
    assert saved is not None
    return {name.removeprefix("network."): tensor for name, tensor in saved.tensors.items() if "network." in name}


@pytest.mark.parametrize(("starts_pretrained", "changes"), [(True, {"late"}), (False, {"stem", "early", "late"})])
def test_stages_have_their_own_rates_in_fine_tuning_and_the_full_rate_from_random_weights(
    config: Config, starts_pretrained: bool, changes: set[str]
) -> None:
    backbone = replace(SMALL, stages={"stem": 0.0, "early": 0.0, "late": 1.0})
    config = replace(config, learning_rate=1e-3, pretrained=config.pretrained if starts_pretrained else "none")
    before, after = starting_weights(config), weights_after_the_last_step(config, backbone)

    parameters = [name for name, _ in SMALL.build(3, True).named_parameters() if not SMALL.in_head(name)]
    # exact: a rate of 0 changes no bit, and a step at any other rate changes some
    changed = {name.partition(".")[0] for name in parameters if not torch.equal(after[name], before[name])}
    assert changed == changes


@pytest.mark.parametrize(
    ("starts_pretrained", "norm_layers", "kept"),
    [(True, SMALL.norm_layers, True), (True, (), False), (False, SMALL.norm_layers, False)],
    ids=["fine-tuning", "none declared", "from random weights"],
)
def test_the_norm_layers_of_the_declaration_keep_their_statistics_in_fine_tuning_alone(
    config: Config, starts_pretrained: bool, norm_layers: tuple[type[nn.Module], ...], kept: bool
) -> None:
    config = replace(config, learning_rate=1e-3, pretrained=config.pretrained if starts_pretrained else "none")
    given = statistics_of(starting_weights(config))
    found = statistics_of(weights_after_the_last_step(config, replace(SMALL, norm_layers=norm_layers)))

    assert len(given) == 10  # mean and variance of five layers
    # exact: statistics that are kept are copied from the file and never updated
    assert all(torch.equal(found[name], given[name]) for name in given) == kept


def test_random_weights_of_two_networks_are_two_runs(config: Config) -> None:
    """Otherwise a run could resume from the checkpoint of another network."""
    config = replace(config, pretrained="none", epochs=1)
    assert trained(config).run == trained(config).run
    assert trained(config).run != trained(config, replace(SMALL, name="another network")).run
