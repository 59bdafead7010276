"""The result does not depend on the number of processes."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from inference.photo.preprocessing import Preprocessing
from tests.distributed import ranks, work
from tests.distributed.dogs import settings, spoil, write_photos
from tests.distributed.small_network import SMALL, write_weights
from training import distributed, replicas
from training.config import Config
from training.data.dataset import DataSet, scan
from training.data.features import FeatureBatches
from training.data.images import ImageBatches
from training.model.network import build

UNEVEN = {"train": 23, "valid": 5, "test": 3}
"""69 training photos with two views each: 138 examples, which no batch size and no micro-batch divides."""


def trained(folder: Path, config: Config, *, size: int) -> dict[str, torch.Tensor]:
    ranks.run(work.weights_of, config, size=size, folder=folder / f"logs-{size}")
    return work.read_weights(config)


def test_several_processes_train_the_same_head_as_one(tmp_path: Path) -> None:
    spoil(write_photos(tmp_path / "photos", counts=UNEVEN), "train/Pug/3.jpg", "test/Collie/0.jpg", "valid/Pug/4.jpg")
    write_weights(tmp_path / "weights.safetensors")
    heads = {}
    for size in (1, 2, 3):
        config = settings(tmp_path, batch_size=32, epochs=4, model_dir=tmp_path / f"model-{size}")
        heads[size] = trained(tmp_path, config, size=size)

    # Not equal to the last bit: gradients are summed in another order.
    assert work.difference(heads[1], heads[2]) <= 1e-5
    assert work.difference(heads[1], heads[3]) <= 1e-5


def test_full_mode_takes_the_same_first_steps_with_two_processes(tmp_path: Path) -> None:
    """The gradients are of the same photos. The losses differ slightly, because norm layers compute their statistics
    over the photos of their own process."""
    write_photos(tmp_path / "photos", counts={"train": 16, "valid": 4, "test": 4})
    losses = {}
    for size in (1, 2):
        config = settings(tmp_path, batch_size=48, epochs=3, learning_rate=1e-3, label_smoothing=0.0)
        ranks.run(work.weights_of, config, size=size, folder=tmp_path / f"logs-{size}")
        log = (tmp_path / f"logs-{size}" / "rank-0.log").read_text()
        losses[size] = [float(line["train_loss"]) for line in work.lines(log, "epoch=")]

    assert losses[1] == pytest.approx(losses[2], abs=0.05)
    assert losses[1][2] < 0.8 * losses[1][0]  # and training lowered the loss


def test_fine_tuning_does_not_depend_on_how_many_processes_share_a_batch(tmp_path: Path) -> None:
    """Norm layers keep the statistics of the pretrained weights, so a photo's output does not depend on its batch.
    Losses are compared, not weights: where a gradient is almost zero, AdamW's step depends on its rounding."""
    write_photos(tmp_path / "photos", counts=UNEVEN)
    write_weights(tmp_path / "weights.safetensors")
    losses = {}
    for size in (1, 2, 3):
        config = settings(tmp_path, mode="full", batch_size=32, epochs=4, learning_rate=2e-3)
        ranks.run(work.weights_of, config, size=size, folder=tmp_path / f"logs-{size}")
        log = (tmp_path / f"logs-{size}" / "rank-0.log").read_text()
        losses[size] = [float(line["train_loss"]) for line in work.lines(log, "epoch=")]

    assert losses[1] == pytest.approx(losses[2], abs=0.002)
    assert losses[1] == pytest.approx(losses[3], abs=0.002)
    assert losses[1][-1] < 0.5 * losses[1][0]  # and training lowered the loss


def collectives(folder: Path, pretrained: Path) -> int:
    """Number of collectives while the features of all photos are computed."""
    count = 0

    def counted(inner: Callable[..., Any]) -> Callable[..., Any]:
        def outer(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            return inner(*arguments, **options)

        return outer

    world = distributed.join()
    data, model = scan(folder), build(3, str(pretrained), SMALL)
    for name in ("all_gather", "all_reduce", "broadcast"):
        setattr(dist, name, counted(getattr(dist, name)))
    FeatureBatches(
        data,
        model,
        backbone=SMALL,
        preprocessing=Preprocessing.for_size(32),
        world=world,
        batch_size=8,
        seed=0,
    )
    distributed.leave()
    return count


def test_features_need_no_collective_for_each_batch(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "weights.safetensors")
    counts = []
    for photos in (4, 60):  # per breed, of three: two micro-batches, and more than twenty
        folder = write_photos(tmp_path / f"{photos}-photos", counts={"train": photos, "valid": 2, "test": 2})
        counts.append(ranks.run(collectives, folder, weights, size=2, folder=tmp_path / f"{photos}-logs"))

    assert counts[0] == counts[1]
    assert 0 < counts[0][0] < 15  # a few for each split


@pytest.mark.slow
def test_full_mode_with_two_processes_is_within_the_noise_of_seeds(tmp_path: Path) -> None:
    """Norm layers see half of each batch, so the runs differ, but by less than runs with different seeds."""
    write_photos(tmp_path / "photos", breeds=4, counts={"train": 16, "valid": 8, "test": 8})

    def test_loss(size: int, seed: int) -> float:
        folder = tmp_path / f"logs-{size}-{seed}"
        config = settings(tmp_path, batch_size=32, epochs=4, learning_rate=1e-3, seed=seed)
        return float(ranks.run(work.weights_of, config, size=size, folder=folder)[0]["test_loss"])

    alone = [test_loss(1, seed) for seed in range(6)]
    together = [test_loss(2, seed) for seed in range(6)]
    differences = [abs(one - two) for one, two in zip(alone, together, strict=True)]
    print(f"alone {alone}, together {together}")
    assert statistics.mean(differences) <= 2 * statistics.stdev(alone)
    assert abs(statistics.mean(alone) - statistics.mean(together)) <= statistics.stdev(alone)


def evaluated(data: DataSet) -> list[tuple[int, int]]:
    """(photos, sum of their labels) in this process's part of valid and of test."""
    world = distributed.join()
    batches = ImageBatches(
        data, preprocessing=Preprocessing.for_size(32), world=world, batch_size=8, seed=0, workers=1, memory=0
    )
    targets = [
        torch.cat([targets for _, targets in batches.examples(split)] or [torch.empty(0)])
        for split in ("valid", "test")
    ]
    distributed.leave()
    return [(len(labels), int(labels.sum())) for labels in targets]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_each_photo_is_evaluated_once(tmp_path: Path, size: int) -> None:
    photos = write_photos(tmp_path / "photos", breeds=3, counts={"train": 8, "valid": 3, "test": 1})
    spoil(photos, "valid/Pug/1.jpg")
    parts = ranks.run(evaluated, scan(photos), size=size, folder=tmp_path / "logs")

    valid, test = ([part[split] for part in parts] for split in (0, 1))
    assert (sum(count for count, _ in valid), sum(labels for _, labels in valid)) == (8, 0 * 3 + 1 * 3 + 2 * 2)
    assert (sum(count for count, _ in test), sum(labels for _, labels in test)) == (3, 0 + 1 + 2)


def sharded_and_gathered(count: int, block: int) -> bool:
    world = distributed.join()
    rows = torch.arange(count * 2, dtype=torch.float32).reshape(count, 2)
    own = world.shard(list(rows), block=block)
    gathered = world.gather_rows(torch.stack(own) if own else torch.empty(0, 2), count, block=block)
    distributed.leave()
    # exact: rows are copied between the processes, not computed
    return torch.equal(gathered, rows)


@pytest.mark.parametrize(("count", "block"), [(1, 1), (7, 1), (7, 2), (12, 4), (3, 8), (17, 4)])
def test_sharded_rows_are_gathered_in_order(tmp_path: Path, count: int, block: int) -> None:
    assert ranks.run(sharded_and_gathered, count, block, size=3, folder=tmp_path) == [True] * 3


def averaged() -> list[float]:
    world = distributed.join()
    layer = torch.nn.BatchNorm1d(2)
    layer.running_mean = torch.tensor([1.0, 2.0]) * (world.rank + 1)
    replicas.average_buffers(layer, replicas.gather_buffers(layer, world))
    distributed.leave()
    assert layer.running_mean is not None
    return list(layer.running_mean.tolist())


def test_norm_layers_are_averaged_over_the_processes(tmp_path: Path) -> None:
    # exact: the means of 1 and 2, and of 2 and 4, need no rounding
    assert ranks.run(averaged, size=2, folder=tmp_path) == [[1.5, 3.0]] * 2
