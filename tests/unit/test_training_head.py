"""Fine-tuning starts from a fitted head, and is given up where it makes nothing better."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import training.model.backbone
from tests.distributed import ranks, work
from tests.distributed.dogs import settings, small_resnet, write_photos, write_weights
from training.config import Config
from training.data.dataset import DataError
from training.distributed import World
from training.train import train


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(training.model.backbone, "resnet50", small_resnet)
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    return settings(tmp_path, mode="full", label_smoothing=0.0)


def log_of(config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("training.train.export", stop_before_the_export)
    config.model_dir.mkdir(exist_ok=True)
    with pytest.raises(work.ExportedError):
        train(config, World(0, 1, torch.device("cpu")))
    return capsys.readouterr().out


def stop_before_the_export(*_: object, training: dict[str, dict[str, float]], **__: object) -> None:
    print(f"kept_epoch={training['metrics']['epoch']}")
    raise work.ExportedError


def test_the_network_knows_something_before_its_first_step(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(config, capsys, monkeypatch)
    (head,) = work.lines(log, "stage=head")
    assert float(head["valid_accuracy"]) >= 0.6  # of three breeds, by chance a third


def test_a_fine_tuning_that_spoils_the_network_leaves_the_fitted_head(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(replace(config, learning_rate=1.0), capsys, monkeypatch)
    assert "kept_epoch=0" in log


def test_photos_of_which_none_can_be_read_are_named_before_the_head_is_fitted(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (config.data / "train").rglob("*.jpg"):
        path.write_bytes(b"no photo")
    with pytest.raises(DataError, match="Not one photo in train/ can be decoded; see the photos skipped above"):
        train(config, World(0, 1, torch.device("cpu")))
    assert len(work.lines(capsys.readouterr().out, "skipped=")) == 18


def test_two_processes_start_from_the_same_head_as_one(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    losses = set()
    for size in (1, 2):
        run = settings(tmp_path, mode="full", epochs=1)
        ranks.run(work.weights_of, run, size=size, folder=tmp_path / f"logs-{size}")
        (head,) = work.lines((tmp_path / f"logs-{size}" / "rank-0.log").read_text(), "stage=head")
        losses.add(head["valid_loss"])
    assert len(losses) == 1


def statistics_of(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in weights.items() if name.endswith(("running_mean", "running_var"))}


def test_fine_tuning_keeps_the_norm_layers_statistics_and_training_from_nothing_makes_its_own(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    given = statistics_of(load_file(tmp_path / "weights.safetensors"))
    for pretrained, kept in ((str(tmp_path / "weights.safetensors"), True), ("none", False)):
        config = settings(tmp_path, mode="full", pretrained=pretrained, learning_rate=0.01)
        ranks.run(work.weights_of, config, size=2, folder=tmp_path / f"logs-{kept}")
        learnt = work.read_weights(config)
        found = statistics_of(learnt)
        assert all(torch.equal(found[name], given[name]) for name in given) == kept
        assert len(given) > 10
