"""Where photos are held back on their way to a GPU: how fast they reach a consumer that does nothing.

    python -m benchmarks.photo_loading --data dogImages
    make bench-training-gpu ARGS=--loading      # on a machine with a GPU, before the steps and features there

It uses no GPU. For each stage: the time of one photo on one core, and how long of it the interpreter lock is held,
which limits all threads of a process together. Then photos a second with threads and with processes, by their number;
and the processor time of the main process for each photo, which limits all cores together.
"""

import argparse
import contextlib
import ctypes
import hashlib
import io
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch

from benchmarks.processor import print_processor
from inference.cores import usable_cores
from inference.photo.preprocessing import Preprocessing
from sample_dogs.dataset import write_sample
from training.data.dataset import DataSet, Photo, scan
from training.data.images import ImageBatches, random_crop
from training.data.memory import photo_budget
from training.data.reading import read_square, read_whole
from training.data.squares import read_squares
from training.distributed import World

BATCH = 64
CPU = World(0, 1, torch.device("cpu"))
PROBE_S = 200e-6


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Photos per second that reach a consumer that does nothing.")
    parser.add_argument("--data", type=Path, help="train/, valid/, test/ (default: drawn photos)")
    parser.add_argument("--image-size", type=int, default=224, help="default: %(default)s")
    parser.add_argument("--photos", type=int, default=3200, help="in each measurement (default: %(default)s)")
    parser.add_argument("--probe-s", type=float, default=3.0, help="of each look at the lock (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each, in alternation (default: %(default)s)")
    options = parser.parse_args(arguments)
    print_processor()
    with tempfile.TemporaryDirectory() as temporary:
        if options.data is None:
            write_sample(Path(temporary) / "photos", seed=0)
        data = scan(options.data or Path(temporary) / "photos")
        loading(
            data, image_size=options.image_size, photos=options.photos, rounds=options.rounds, probe_s=options.probe_s
        )
    return 0


def loading(data: DataSet, *, image_size: int, photos: int, rounds: int, probe_s: float = 3.0) -> None:
    """Print all figures."""
    preprocessing = Preprocessing.for_size(image_size)
    for name, work in stages(data, preprocessing).items():
        alone = seconds_each(work, 200)
        held = lock_share(work, probe_s) * alone
        print(
            f"{name:6} {alone * 1e6:7.0f} us of one core for a photo, of which the interpreter lock is held "
            f"{held * 1e6:4.0f} us: at most {1 / held if held else float('inf'):6.0f} photos/s in one process"
        )
    with crops(data, preprocessing, photos) as crop:
        _rates({"decode": squares(data, preprocessing, photos), "crop": crop}, rounds)


def _rates(loads: Mapping[str, Callable[[int, bool], int]], rounds: int) -> None:
    """Print how many photos reach a consumer. A load takes the number of workers, and whether they are processes."""
    for name, run in loads.items():
        kinds = [(workers, processes) for processes in (False, True) for workers in workers_to_try()]
        rates: dict[tuple[int, bool], list[tuple[float, float]]] = {kind: [] for kind in kinds}
        for number in range(rounds + 1):
            for kind in kinds:
                began, own = time.perf_counter(), clock(kind)
                count = run(*kind)
                if number:  # the first round is a warm-up
                    took = time.perf_counter() - began
                    rates[kind].append((count / took, (clock(kind) - own) / count))
        for (workers, processes), found in rates.items():
            rate, main_s = (statistics.median(each) for each in zip(*found, strict=True))
            kind_name = "processes" if processes else "threads"
            print(
                f"{name:6} {workers:3} {kind_name:9} {rate:8.0f} photos/s; the main process spends "
                f"{main_s * 1e6:4.0f} us on each, so at most {1 / main_s:6.0f} photos/s"
            )


def clock(kind: tuple[int, bool]) -> float:
    """Processor time of the main process without the threads that read photos, which are the other kind of worker."""
    return time.process_time() if kind[1] else time.thread_time()


def workers_to_try() -> list[int]:
    """1, 2, 4 and so on, up to the number of cores."""
    cores = usable_cores()
    return sorted({2**power for power in range(10) if 2**power < cores} | {cores})


def stages(data: DataSet, preprocessing: Preprocessing) -> dict[str, Callable[[int], object]]:
    """What a worker does for the photo of a number."""
    train = data.splits["train"]
    wholes = [read_whole(data, photo, shorter_side=round(preprocessing.resize * 1.25)) for photo in train[:100]]
    kept = [whole for whole in wholes if whole is not None]
    return {
        "decode": lambda i: read_square(data, train[i % len(train)], preprocessing),
        "crop": lambda i: random_crop(kept[i % len(kept)], preprocessing.crop, np.random.default_rng((0, 0, i))),
    }


def seconds_each(work: Callable[[int], object], count: int) -> float:
    began = time.thread_time()
    for number in range(count):
        work(number)
    return (time.thread_time() - began) / count


def lock_share(work: Callable[[int], object], seconds: float) -> float:
    """Share of the time that a thread which does nothing but `work` holds the interpreter lock.

    The main thread wakes up every 0.2 ms, and counts how often it must wait for the lock. It does the same beside a
    thread that computes without the lock, because on a busy machine it also waits for a core: what is later than usual
    there is not counted. On a machine whose cores are all busy the result means nothing.
    """
    block = bytes(2**20)
    without, beside = (_sleeps(each, seconds) for each in (lambda _: hashlib.sha256(block), work))
    late = statistics.median(without) + 20e-6
    delayed_without, delayed = (sum(took > late for took in found) / len(found) for found in (without, beside))
    return max(0.0, (delayed - delayed_without) / (1 - delayed_without))


def _sleeps(work: Callable[[int], object], seconds: float) -> list[float]:
    """How long each sleep of 0.2 ms takes beside a thread that does `work`, until the lock is held again."""
    sleep = ctypes.CDLL(None).usleep
    stop = threading.Event()

    def loop() -> None:
        number = 0
        while not stop.is_set():
            work(number)
            number += 1

    thread = threading.Thread(target=loop)
    thread.start()
    found, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        sleep(int(PROBE_S * 1e6))
        found.append(time.perf_counter() - began)
    stop.set()
    thread.join()
    return found


def squares(data: DataSet, preprocessing: Preprocessing, photos: int) -> Callable[[int, bool], int]:
    """Photos as the features of frozen mode need them."""
    many: list[Photo] = list(islice(cycle(data.splits["train"]), photos))
    batches = [many[start : start + BATCH] for start in range(0, photos, BATCH)]

    def run(workers: int, processes: bool) -> int:
        found = read_squares(data, batches, preprocessing, workers=workers, processes=processes)
        return sum(len(pixels) for pixels, _, _ in found)

    return run


@contextlib.contextmanager
def crops(data: DataSet, preprocessing: Preprocessing, photos: int) -> Iterator[Callable[[int, bool], int]]:
    """Photos as full mode needs them, from memory. The workers end with the block."""
    made: dict[tuple[int, bool], ImageBatches] = {}
    epochs = iter(range(1_000_000))
    count = len(data.splits["train"])
    shares = torch.tensor_split(torch.arange(photos) % count, -(-photos // (count // -(-count // BATCH))))

    def batches(workers: int, processes: bool) -> ImageBatches:
        with contextlib.redirect_stdout(io.StringIO()):  # its progress
            return ImageBatches(
                data,
                preprocessing=preprocessing,
                world=CPU,
                batch_size=BATCH,
                seed=0,
                workers=workers,
                memory=photo_budget(None),
                processes=processes,
            )

    def run(workers: int, processes: bool) -> int:
        kind = workers, processes
        if kind not in made:
            made[kind] = batches(*kind)
        return sum(len(pixels) for pixels in made[kind].crops(next(epochs), shares))

    try:
        yield run
    finally:
        for each in made.values():
            each.close()


if __name__ == "__main__":
    sys.exit(main())
