"""Training that is killed or stopped many times ends with the same weights as training that is not interrupted."""

import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.distributed import ranks, work
from tests.distributed.dogs import settings, write_photos
from tests.distributed.small_network import write_weights
from tests.patience import wait_until
from training import checkpoint, trainer
from training.config import Config

EPOCHS = {"frozen": 1200, "full": 120}
LONGEST_S = 0.2
"""Longest time between the first checkpoint of a start and its kill; it is long enough for several epochs."""


def prepared(folder: Path, mode: str, *, epochs: int) -> Config:
    write_photos(folder / "photos", breeds=2, counts={"train": 9, "valid": 2, "test": 2})
    write_weights(folder / "weights.safetensors")
    return settings(folder, mode=mode, epochs=epochs, checkpoint_dir=folder / "checkpoints")


def saved(config: Config) -> list[str]:
    assert config.checkpoint_dir is not None
    return sorted(path.name for path in config.checkpoint_dir.glob("*/epoch-*.safetensors"))


def kill_at_a_random_moment(config: Config, folder: Path, *, size: int, rng: random.Random) -> None:
    """Start the processes and kill one of them. A third of the kills come before the first checkpoint of that start."""
    before = saved(config)
    started = ranks.start(work.weights_of, config, size=size, folder=folder)
    victim = rng.choice(started)
    early = rng.random() < 1 / 3
    while not early and saved(config) == before:
        assert started[0].process.is_alive(), started[0].wait().log
        started[0].process.join(0.005)
    victim.process.join(rng.uniform(0, LONGEST_S))
    assert victim.process.is_alive(), "it finished before it could be killed; raise EPOCHS"
    victim.process.kill()
    assert victim.wait().status == -signal.SIGKILL
    for rank in started:
        rank.process.join(1)  # it notices that its peer is gone, unless they were not connected yet
        rank.process.kill()
        assert rank.wait().status != 0


def same_weights_as_uninterrupted(config: Config, folder: Path, *, size: int) -> bool:
    ranks.run(work.weights_of, config, size=size, folder=folder / "last")
    resumed = work.read_weights(config)
    ranks.run(work.weights_of, replace(config, checkpoint_dir=None), size=size, folder=folder / "uninterrupted")
    # exact: both runs do the same operations in the same order, with one thread each.
    return work.difference(resumed, work.read_weights(config)) == 0


@pytest.mark.parametrize(
    ("mode", "size", "kills"),
    [
        ("frozen", 2, 1),
        pytest.param("frozen", 2, 3, marks=pytest.mark.slow),
        pytest.param("frozen", 1, 20, marks=pytest.mark.slow),
        pytest.param("frozen", 2, 20, marks=pytest.mark.slow),
        pytest.param("full", 1, 20, marks=pytest.mark.slow),
        pytest.param("full", 2, 20, marks=pytest.mark.slow),
    ],
)
def test_killed_at_random_moments(tmp_path: Path, mode: str, size: int, kills: int) -> None:
    config = prepared(tmp_path, mode, epochs=EPOCHS[mode] * (kills + 2) // 20)
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for start in range(kills):
        kill_at_a_random_moment(config, tmp_path / f"start-{start}", size=size, rng=rng)

    assert same_weights_as_uninterrupted(config, tmp_path, size=size)


def stopped_at(config: Config, call: int, rank: int, where: str, after: bool = False) -> None:
    """The whole program. One of its processes gets SIGTERM at the start or the end of a call of trainer.`where`."""
    calls = 0
    inner = getattr(trainer, where)

    def outer(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        now = calls == call and os.environ["RANK"] == str(rank)
        if now and not after:
            os.kill(os.getpid(), signal.SIGTERM)
        result = inner(*arguments)
        if now and after:
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    setattr(trainer, where, outer)
    work.main(config)


def with_fsync(config: Config, call: int, then: Callable[[], None]) -> None:
    """The whole program, in which `then` runs in the midst of the write of checkpoint `call`."""
    calls, inner = 0, os.fsync

    def outer(file: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            then()
        inner(file)

    os.fsync = outer  # type: ignore[assignment]
    work.main(config)


def never_ends() -> None:
    Path(os.environ["REACHED"]).touch()
    threading.Event().wait()


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("mode", ["full", "frozen"])
def test_killed_in_the_midst_of_a_write(tmp_path: Path, mode: str) -> None:
    """The third checkpoint is written to its temporary name, and the training goes on."""
    config, reached = prepared(tmp_path, mode, epochs=20), tmp_path / "reached"
    assert config.checkpoint_dir is not None
    env = {"REACHED": str(reached)}
    (rank,) = ranks.start(with_fsync, config, 3, never_ends, size=1, folder=tmp_path / "killed", env=env)
    assert wait_until(reached.exists, running=rank.process.is_alive), rank.wait().log
    before = saved(config)
    rank.process.kill()
    assert rank.wait().status == -signal.SIGKILL
    assert len(before) == 2
    assert saved(config) == before
    assert [path.name for path in config.checkpoint_dir.glob("*/partial")] == ["partial"]

    assert same_weights_as_uninterrupted(config, tmp_path, size=1)
    assert saved(config)[-1].startswith("epoch-000020-000000-")
    assert not list(config.checkpoint_dir.glob("*/partial"))


def test_stopped_in_the_midst_of_a_write(tmp_path: Path) -> None:
    """The write is completed, and then the state at the end of the current step is written."""
    config = prepared(tmp_path, "full", epochs=20)
    assert config.checkpoint_dir is not None
    (rank,) = ranks.start(with_fsync, config, 2, stop, size=1, folder=tmp_path / "stopped")
    end = rank.wait()
    assert end.status == 128 + signal.SIGTERM
    assert "the same command resumes from the last checkpoint" in end.log
    second, last = saved(config)
    assert second < last
    assert not list(config.checkpoint_dir.glob("*/partial"))

    assert same_weights_as_uninterrupted(config, tmp_path, size=1)


@pytest.mark.parametrize(("mode", "rank", "step"), [("full", 1, 4), ("frozen", 0, 13)])
def test_stopped_in_mid_epoch(tmp_path: Path, mode: str, rank: int, step: int) -> None:
    """Only one process gets the signal. Both stop after the same step, which is not repeated after the resume."""
    config = prepared(tmp_path, mode, epochs=4)
    started = ranks.start(stopped_at, config, step, rank, "set_rate", size=2, folder=tmp_path / "stopped")
    ends = [process.wait() for process in started]
    assert [end.status for end in ends] == [128 + signal.SIGTERM] * 2
    per_epoch = {"full": 3, "frozen": 5}[mode]
    at = checkpoint.Progress(*divmod(step, per_epoch))
    assert saved(config)[-1].startswith(f"epoch-{at.epochs:06d}-{at.steps:06d}-")

    assert same_weights_as_uninterrupted(config, tmp_path, size=2)
    assert f"stage=resume epoch={at.epochs} step={at.steps}" in (tmp_path / "last" / "rank-0.log").read_text()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("rank", [0, 1])
def test_stopped_while_an_epoch_is_evaluated(tmp_path: Path, rank: int, after: bool) -> None:
    """Only the evaluation is repeated, not the steps. (The first evaluation is of the fitted head.)

    The first process saves. It does so too if the other one stops when both have evaluated.
    """
    config = replace(prepared(tmp_path, "full", epochs=3), checkpoint_every=1000)
    started = ranks.start(stopped_at, config, 3, rank, "evaluate", after, size=2, folder=tmp_path / "stopped")
    assert started[rank].wait().status == 128 + signal.SIGTERM
    assert started[1 - rank].wait().status == 1  # its peer is gone
    assert saved(config)[-1].startswith("epoch-000001-000003-")

    assert same_weights_as_uninterrupted(config, tmp_path, size=2)
    assert "stage=resume epoch=1 step=3" in (tmp_path / "last" / "rank-0.log").read_text()


def test_a_run_resumes_with_another_number_of_processes(tmp_path: Path) -> None:
    config = prepared(tmp_path, "full", epochs=4)
    for process in ranks.start(stopped_at, config, 4, 1, "set_rate", size=2, folder=tmp_path / "stopped"):
        assert process.wait().status == 128 + signal.SIGTERM
    log_folder = tmp_path / "with-3"
    ranks.run(work.weights_of, config, size=3, folder=log_folder)
    log = (log_folder / "rank-0.log").read_text()
    assert "stage=resume epoch=1 step=1" in log
    assert [line["epoch"] for line in work.lines(log, "epoch=")] == ["2", "3", "4"]


def test_a_diverged_training_ends_in_every_process_with_a_sentence(tmp_path: Path) -> None:
    """This weight decay multiplies the weights by -9 in each step."""
    config = replace(prepared(tmp_path, "full", epochs=200), learning_rate=1.0, weight_decay=10.0)
    ends = [process.wait() for process in ranks.start(work.main, config, size=2, folder=tmp_path / "logs")]

    assert [end.status for end in ends] == [1, 1]
    sentence = (tmp_path / "output" / "failure").read_text()
    assert sentence.startswith("Training diverged: the loss is NaN or infinite in epoch ")
    assert sentence.endswith("Lower --learning-rate, which is 1.0.")
    assert all(sentence in end.log and "Traceback" not in end.log for end in ends)
