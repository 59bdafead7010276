"""A run that was killed resumes as if it had not been interrupted."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.distributed import ranks, work
from tests.distributed.dogs import settings, write_photos
from tests.distributed.small_network import write_weights
from tests.distributed.test_failures import wait_for_checkpoint
from training.config import Config


def log_of(config: Config, folder: Path, name: str) -> str:
    ranks.run(work.weights_of, config, size=1, folder=folder / name)
    return (folder / name / "rank-0.log").read_text()


@pytest.fixture(params=["frozen", "full"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    write_photos(tmp_path / "photos", breeds=2, counts={"train": 9, "valid": 2, "test": 2})
    write_weights(tmp_path / "weights.safetensors")
    epochs = 300 if request.param == "frozen" else 5  # long enough to be killed in the middle
    return settings(tmp_path, mode=request.param, epochs=epochs, checkpoint_dir=tmp_path / "checkpoints")


def changed(config: Config, **values: object) -> Config:
    return replace(config, **values)  # type: ignore[arg-type]


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(config: Config, tmp_path: Path) -> None:
    (rank,) = ranks.start(work.weights_of, config, size=1, folder=tmp_path / "killed")
    wait_for_checkpoint(tmp_path / "checkpoints", rank)
    rank.process.kill()
    assert rank.wait().status == -9
    log = log_of(config, tmp_path, "resumed")
    assert "stage=resume epoch=" in log
    assert len(work.lines(log, "epoch=")) < config.epochs
    resumed = work.read_weights(config)

    log_of(changed(config, checkpoint_dir=None), tmp_path, "whole")
    # exact: both runs do the same operations in the same order, with one thread.
    assert work.difference(resumed, work.read_weights(config)) == 0


def test_a_finished_run_does_not_train_again(config: Config, tmp_path: Path) -> None:
    short = changed(config, epochs=2)
    log_of(short, tmp_path, "first")
    first = work.read_weights(short)
    log = log_of(short, tmp_path, "second")

    assert work.lines(log, "epoch=") == []
    # exact: the second run trains nothing and leaves the first run's file as it is
    assert work.difference(first, work.read_weights(short)) == 0


@pytest.mark.parametrize("damage", ["cut off", "one bit"])
def test_a_damaged_newest_checkpoint_is_ignored(tmp_path: Path, damage: str) -> None:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    config = settings(tmp_path, epochs=3, checkpoint_dir=tmp_path / "checkpoints")
    log_of(config, tmp_path, "first")
    whole = work.read_weights(config)
    *_, newest = sorted((tmp_path / "checkpoints").glob("*/epoch-*"))
    content = bytearray(newest.read_bytes())
    content[-20] ^= 1
    newest.write_bytes(content if damage == "one bit" else content[:-50])
    log = log_of(config, tmp_path, "second")

    (at,) = work.lines(log, "stage=resume")
    assert at["epoch"] in ("1", "2")  # the checkpoint of epoch 2 is skipped if epoch 1's is still being written
    assert [line["epoch"] for line in work.lines(log, "epoch=")] == ["2", "3"][int(at["epoch"]) - 1 :]
    # exact: both runs do the same operations in the same order, with one thread in each process
    assert work.difference(whole, work.read_weights(config)) == 0


@pytest.mark.parametrize("what", ["data", "hyperparameters", "weights"])
def test_a_checkpoint_of_another_run_is_neither_used_nor_deleted(tmp_path: Path, what: str) -> None:
    photos = write_photos(tmp_path / "photos")
    weights = write_weights(tmp_path / "weights.safetensors")
    config = settings(tmp_path, checkpoint_dir=tmp_path / "checkpoints", checkpoint_every=1)
    log_of(config, tmp_path, "first")
    before = set((tmp_path / "checkpoints").glob("*/*"))
    if what == "data":
        (photos / "train" / "Pug" / "0.jpg").unlink()
    elif what == "weights":
        content = bytearray(weights.read_bytes())
        content[-3] ^= 1
        weights.write_bytes(content)
    config = changed(config, seed=1) if what == "hyperparameters" else config
    log = log_of(config, tmp_path, "second")
    after = set((tmp_path / "checkpoints").glob("*/*"))

    assert "stage=resume ignored=" in log
    assert len(work.lines(log, "epoch=")) == 2
    assert before < after
    assert len(after - before) == 2  # its own checkpoints are kept, although the others are of the same or later epochs
