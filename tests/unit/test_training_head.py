"""Fine-tuning starts from a fitted head, and is given up where it makes nothing better."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import training.model
from tests.distributed import ranks, work
from tests.distributed.dogs import settings, small_resnet, write_photos, write_weights
from training.config import Config
from training.distributed import World
from training.train import train


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(training.model, "resnet50", small_resnet)
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
    log = log_of(replace(config, learning_rate=3.0), capsys, monkeypatch)
    assert "kept_epoch=0" in log


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
