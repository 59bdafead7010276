"""Batches of pixels that threads or processes fill: in order, complete, and the same by both."""

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.photo.decode import decode
from inference.photo.limits import DECODING
from inference.photo.preprocessing import Preprocessing
from tests.distributed import ranks
from tests.distributed.dogs import any_photo, cut_off, spoil, write_photos
from tests.patience import PATIENCE_S, wait_until
from tests.rehearsal.still_running import is_running
from training.data.dataset import DataError, scan
from training.data.filling import Filler, Pixels
from training.data.images import ImageBatches
from training.data.squares import read_squares
from training.distributed import World

BOTH = pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])


def twice(item: int, place: Pixels) -> int:
    place[:] = item
    return 2 * item


def filler(processes: bool, *, workers: int = 2) -> Filler[int, int]:
    return Filler(twice, batch_size=20, size=2, workers=workers, processes=processes)


@BOTH
@pytest.mark.parametrize("workers", [1, 3])
def test_batches_come_in_order_and_complete(processes: bool, workers: int) -> None:
    filling = filler(processes, workers=workers)
    requests = [list(range(start, start + count)) for start, count in ((0, 20), (20, 19), (39, 1), (40, 20), (60, 9))]
    for _ in range(2):  # the memory is used again
        found = [(pixels.clone(), results) for pixels, results in filling.batches(requests)]
        for items, (pixels, results) in zip(requests, found, strict=True):
            assert results == [2 * item for item in items]
            # exact: whole numbers are copied
            assert pixels.tolist() == [[[[item] * 3] * 2] * 2 for item in items]
    assert list(filling.batches([])) == []
    filling.close()


@BOTH
def test_a_caller_may_stop_early(processes: bool) -> None:
    filling = filler(processes)
    for _ in range(3):
        first = next(iter(filling.batches([list(range(20))] * 9)))[1]
        assert first == [2 * item for item in range(20)]
    filling.close()


def refuse(item: int, place: Pixels) -> None:
    raise DataError(f"no {item}")


@BOTH
def test_an_error_of_the_work_reaches_the_caller(processes: bool) -> None:
    filling = Filler(refuse, batch_size=4, size=2, workers=2, processes=processes)
    with pytest.raises(DataError, match="no 7"):
        list(filling.batches([[7]]))
    filling.close()


def die(item: int, place: Pixels) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_an_error_with_a_remedy() -> None:
    filling = Filler(die, batch_size=4, size=2, workers=2, processes=True)
    with pytest.raises(
        DataError, match=r"was killed, probably because no memory was left; use a host with more memory"
    ):
        list(filling.batches([[7]]))
    filling.close()


def read_one(photo: bytes) -> None:
    assert decode(photo, shorter_side=32).size


def test_a_process_decodes_although_a_thread_was_decoding_when_it_was_forked() -> None:
    with DECODING.hold(DECODING.size):
        process = multiprocessing.get_context("fork").Process(target=read_one, args=(any_photo(),))
        process.start()
        process.join(PATIENCE_S)
        process.kill()
    assert process.exitcode == 0


def test_processes_are_forked_while_no_other_thread_holds_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process would wait without end for a lock that a thread held when it was forked."""
    data, preprocessing = scan(write_photos(tmp_path / "photos")), Preprocessing.for_size(32)
    idle, beside, fork = set(threading.enumerate()), list[set[threading.Thread]](), os.fork

    def forked() -> int:
        beside.append(set(threading.enumerate()) - idle)
        return fork()

    monkeypatch.setattr(os, "fork", forked)
    for split in ("train", "valid"):
        assert list(read_squares(data, [data.splits[split]], preprocessing, workers=2, processes=True))
    world = World(0, 1, torch.device("cpu"))
    batches = ImageBatches(
        data, preprocessing=preprocessing, world=world, batch_size=7, seed=3, workers=2, memory=60_000, processes=True
    )
    assert list(batches.epoch(0))
    assert beside == [set()] * 6


def test_a_stop_signal_that_comes_right_after_the_fork_does_not_end_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = os.fork

    def forked() -> int:
        pid = fork()
        if pid:
            os.kill(pid, signal.SIGTERM)
        return pid

    monkeypatch.setattr(os, "fork", forked)
    assert len(list(filler(True).batches([[0] * 20]))) == 1


def fill_without_end(folder: Path) -> None:
    """Send SIGTERM to the processes of the pool, let them fill a hundred batches, write their ids, and go on."""
    batches = filler(True).batches([0] * 20 for _ in iter(int, 1))
    next(batches)
    pids = [child.pid for child in multiprocessing.active_children() if child.pid]
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    for number, _ in enumerate(batches):
        if number == 100:
            (folder / "partial").write_text(" ".join(map(str, pids)))
            (folder / "partial").rename(folder / "pids")


def test_the_processes_ignore_sigterm_and_end_with_the_training_that_is_killed(tmp_path: Path) -> None:
    (rank,) = ranks.start(fill_without_end, tmp_path, size=1, folder=tmp_path)
    assert wait_until((tmp_path / "pids").exists, running=rank.process.is_alive), rank.wait().log
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert all(is_running(pid) for pid in pids)
    rank.process.kill()
    rank.wait()
    assert wait_until(lambda: not any(is_running(pid) for pid in pids))


@BOTH
def test_squares_are_those_of_serving_and_broken_photos_are_noted(tmp_path: Path, processes: bool) -> None:
    photos = write_photos(tmp_path / "photos")
    spoil(photos, "train/Pug/0.jpg")
    cut_off(photos, "train/Pug/1.jpg", kept=0.8)
    data, preprocessing = scan(photos), Preprocessing.for_size(32)
    train = data.splits["train"]
    batches = [train[:10], train[10:]]
    found = [
        (pixels.clone(), usable)
        for pixels, usable, _ in read_squares(data, batches, preprocessing, workers=2, processes=processes)
    ]
    assert list(data.skipped) == ["train/Pug/0.jpg"]
    assert list(data.truncated) == ["train/Pug/1.jpg"]
    usable = [flag for _, flags in found for flag in flags]
    assert [data.name(photo) for photo, flag in zip(train, usable, strict=True) if not flag] == ["train/Pug/0.jpg"]
    pixels = torch.cat([part for part, _ in found])
    for row, flag, photo in zip(pixels, usable, train, strict=True):
        if flag and data.name(photo) not in data.truncated:
            expected = preprocessing(photo.path.read_bytes())
            # in whole numbers of 0 to 255
            shown = (row.numpy() / 255 - preprocessing.mean) / preprocessing.std
            assert np.abs(shown.transpose(2, 0, 1) - expected).max() < 1e-5
        elif not flag:
            assert not row.any()


def test_processes_crop_as_threads_do(tmp_path: Path) -> None:
    """Also photos that are not kept in memory, and after an epoch that was not finished."""
    data = scan(write_photos(tmp_path / "photos"))

    def batches(processes: bool) -> ImageBatches:
        return ImageBatches(
            data,
            preprocessing=Preprocessing.for_size(32),
            world=World(0, 1, torch.device("cpu")),
            batch_size=7,
            seed=3,
            workers=2,
            memory=60_000,
            processes=processes,
        )

    threads, forked = batches(False), batches(True)
    for each in (threads, forked):
        next(iter(each.epoch(0)))
    for one, two in zip(threads.epoch(1), forked.epoch(1), strict=True):
        # exact: each crop depends on its seed alone, and is computed in whole numbers
        assert torch.equal(one.inputs, two.inputs)
        # exact: class indices are copied, not computed
        assert torch.equal(one.targets, two.targets)
