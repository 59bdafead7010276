"""Batches, orders and crops: the same for any number of processes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.photo.preprocessing import Preprocessing
from tests.distributed.dogs import spoil, write_photos
from training.data.batches import global_batches, normalised, order
from training.data.dataset import DataError, DataSet, scan
from training.data.images import ImageBatches, random_crop
from training.distributed import World
from training.optim import one_cycle


def world(size: int) -> World:
    return World(0, size, torch.device("cpu"))


@given(st.integers(1, 500), st.integers(1, 80))
def test_each_example_is_in_one_batch_and_no_batch_is_small(count: int, batch_size: int) -> None:
    batches = global_batches(count, batch_size, world(1), least=1)
    sizes = [batch.stop - batch.start for batch in batches]
    assert [i for batch in batches for i in range(count)[batch]] == list(range(count))
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(10, 300), st.integers(8, 80), st.integers(1, 4))
def test_the_batches_do_not_depend_on_the_processes(count: int, batch_size: int, processes: int) -> None:
    batches = global_batches(count, batch_size, world(1), least=1)
    assert global_batches(count, batch_size, world(processes), least=1) == batches


@pytest.mark.parametrize(("count", "batch_size", "processes"), [(1, 64, 2), (0, 64, 1), (100, 1, 2), (100, 3, 2)])
def test_too_few_examples_for_the_processes_are_refused(count: int, batch_size: int, processes: int) -> None:
    with pytest.raises(DataError, match="raise --batch-size, or add photos"):
        global_batches(count, batch_size, world(processes), least=2)


def test_an_order_contains_every_example_and_depends_on_epoch_and_seed() -> None:
    orders = [order(50, seed, epoch).tolist() for seed, epoch in ((0, 0), (0, 1), (1, 0), (2**32 - 1, 9999))]
    # exact: an order is a permutation of whole numbers
    assert all(sorted(each) == list(range(50)) for each in orders)
    assert len({tuple(each) for each in orders}) == 4
    # exact: an order is a permutation of whole numbers, drawn from one seed
    assert order(50, 0, 1).tolist() == orders[1]


def test_pixels_are_normalised_as_in_serving() -> None:
    preprocessing = Preprocessing.for_size(32)
    square = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    found = normalised(torch.from_numpy(square)[None], preprocessing)[0].numpy()
    expected = (square / 255 - preprocessing.mean) / preprocessing.std
    assert np.abs(found - expected.transpose(2, 0, 1)).max() < 1e-5


@given(st.integers(40, 90), st.integers(40, 90), st.integers(0, 2**32 - 1))
def test_a_crop_has_the_networks_size_and_depends_on_its_seed_only(width: int, height: int, seed: int) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    crop = random_crop(photo, 32, np.random.default_rng(seed))
    assert crop.shape == (32, 32, 3)
    assert crop.dtype == np.uint8
    # exact: the same crop of the same photo is computed twice by one thread, in whole numbers
    assert np.array_equal(crop, random_crop(photo, 32, np.random.default_rng(seed)))


def test_crops_show_every_part_of_a_photo_and_both_mirror_images() -> None:
    ramp = np.zeros((64, 64, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(64)[None, :] * 4, np.arange(64)[:, None] * 4
    crops = [random_crop(ramp, 32, np.random.default_rng(seed)) for seed in range(60)]
    mirrored = [int(crop[0, 0, 0]) > int(crop[0, -1, 0]) for crop in crops]
    assert 15 < sum(mirrored) < 45
    assert min(crop.min() for crop in crops) < 8
    assert max(crop[..., 0].max() for crop in crops) > 244
    assert len({crop.tobytes() for crop in crops}) == 60


def test_the_rate_rises_then_falls() -> None:
    rates = [one_cycle(i / 1000) for i in range(1000)]
    peak = rates.index(max(rates))
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.01, abs=1e-4)
    # exact: the same numbers are compared with themselves in order
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    # exact: the same numbers are compared with themselves in order
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def photos(data: DataSet, *, memory: int) -> ImageBatches:
    return ImageBatches(
        data,
        preprocessing=Preprocessing.for_size(32),
        world=world(1),
        batch_size=8,
        seed=3,
        workers=2,
        memory=memory,
    )


ONE_PHOTO = 60 * 48 * 3 * 2 // 3  # bytes, at most, of a photo from `write_photos` at this size


@pytest.mark.parametrize("memory", [0, 5 * ONE_PHOTO])
def test_photos_that_do_not_fit_into_memory_give_the_same_batches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], memory: int
) -> None:
    spoil(write_photos(tmp_path), "train/Pug/3.jpg")
    held = photos(scan(tmp_path), memory=1 << 40)
    assert "kept=17 again_each_epoch=0" in capsys.readouterr().out
    again = photos(scan(tmp_path), memory=memory)
    kept = int(capsys.readouterr().out.split("kept=")[1].split()[0])
    assert (kept == 0) == (memory == 0)
    assert kept < 17
    for number in (0, 1):
        for one, other in zip(held.epoch(number), again.epoch(number), strict=True):
            # exact: the same operations on the same pixels, with the same threads.
            assert torch.equal(one.inputs, other.inputs)
            # exact: the inputs are decoded pixels, which are whole numbers
            assert torch.equal(one.targets, other.targets)


def test_a_photo_that_is_deleted_during_training_is_an_error(tmp_path: Path) -> None:
    batches = photos(scan(write_photos(tmp_path)), memory=0)
    (tmp_path / "train/Beagle/0.jpg").unlink()
    with pytest.raises(DataError, match=r"train/Beagle/0\.jpg could be decoded when"):
        list(batches.epoch(0))
