"""Training speed on a GPU with photos from disk, compared with tensors that are already on the device.

    make bench-training-gpu
    make bench-training-gpu ARGS='--data dogImages --batch-size 64'
    make bench-training-gpu ARGS=--loading      # also where photos are held back; two minutes more

In alternation on the same GPU, medians: a step of full fine-tuning (photos cropped on the CPU, copied, normalised, used
for a step) and the frozen backbone's features (photos decoded, copied, passed forward). Threads read the photos, then
processes do. The synthetic side does the same with tensors that stay on the device. Without a GPU it prints that and
exits with status 0. `--device cpu` only shows that the loops work, and its features are always read by threads.
"""

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

import torch
from torch import nn

from benchmarks.photo_loading import loading
from benchmarks.processor import print_processor
from contract.options import recipe
from inference.photo.preprocessing import Preprocessing
from sample_dogs.dataset import write_sample
from training.data.batches import Batch
from training.data.dataset import DataSet, scan
from training.data.extract import FeatureExtractor, extract
from training.data.images import ImageBatches
from training.data.memory import photo_budget
from training.distributed import World
from training.model.backbone import RESNET50, Backbone
from training.model.network import build
from training.optim import adamw
from training.precision import mixed_precision
from training.step import train_step

GOAL = 0.9

Run = Callable[[], int]
"""Does its work and returns the number of photos."""


def main(arguments: Sequence[str] | None = None, *, backbone: Backbone = RESNET50) -> int:
    options = _options(arguments)
    print_processor()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("There is no GPU here, so nothing was measured. Run this on a g4dn.xlarge (the Workbench stack).")
        return 0
    device = torch.device(options.device)
    if device.type == "cuda":
        print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as temporary:
        data = scan(options.data or _drawn(Path(temporary)))
        train = data.splits["train"]
        if options.loading:
            loading(data, image_size=options.image_size, photos=options.photos, rounds=2)
        data.splits["train"] = list(islice(cycle(train), max(len(train), options.photos)))
        for name, runs in (
            ("fine-tuning", fine_tuning(data, options, device, backbone)),
            ("features", features(data, options, device, backbone)),
        ):
            *rates, most = alternate(runs, device, rounds=options.rounds)
            for kind, rate in zip(("threads", "processes"), rates, strict=True):
                print(
                    f"{name:12} {rate:8.1f} images/s from photos that {kind} read, {most:8.1f} from synthetic tensors: "
                    f"{rate / most:.2f} (goal: at least {GOAL})"
                )
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Images per second on the GPU, against synthetic tensors.")
    parser.add_argument("--data", type=Path, help="train/, valid/, test/ (default: drawn photos)")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--batch-size", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--image-size", type=int, default=224, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=40, help="of fine-tuning in a round (default: %(default)s)")
    parser.add_argument("--photos", type=int, default=3200, help="at least, by repetition (default: %(default)s)")
    parser.add_argument("--loading", action="store_true", help="also measure where photos are held back")
    parser.add_argument("--rounds", type=int, default=5, help="of each side, in alternation (default: %(default)s)")
    return parser.parse_args(arguments)


def _drawn(folder: Path) -> Path:
    write_sample(folder / "photos", seed=0)
    return folder / "photos"


def fine_tuning(data: DataSet, options: argparse.Namespace, device: torch.device, backbone: Backbone) -> list[Run]:
    """The step on photos that threads read, or processes, and the same step on one batch repeatedly. The weights do not
    affect the speed."""
    world, precision = World(0, 1, device), mixed_precision(device)
    network = build(len(data.labels), "none", backbone).to(device).to(memory_format=torch.channels_last).train()
    optimizer = adamw(network, recipe("full", pretrained=False))
    loss = nn.CrossEntropyLoss(label_smoothing=0.1, reduction="sum")

    def read_by(processes: bool) -> ImageBatches:
        with contextlib.redirect_stdout(io.StringIO()):  # its progress
            return ImageBatches(
                data,
                preprocessing=Preprocessing.for_size(options.image_size),
                world=world,
                batch_size=options.batch_size,
                seed=0,
                workers=None,
                memory=photo_budget(None) // 2,
                processes=processes,
            )

    threads, processes = read_by(False), read_by(True)
    steps = min(options.steps, threads.steps())
    epoch = iter(range(1_000_000))

    def step(batch: Batch) -> int:
        train_step(network, batch, loss=loss, optimizer=optimizer, precision=precision, world=world)
        return len(batch.targets)

    size = options.image_size
    pixels = torch.randn(options.batch_size, 3, size, size, device=device).to(memory_format=torch.channels_last)
    targets = torch.randint(0, len(data.labels), (options.batch_size,), device=device)
    resident = Batch(pixels, targets, options.batch_size)
    return [
        lambda: sum(step(batch) for batch in islice(threads.epoch(next(epoch)), steps)),
        lambda: sum(step(batch) for batch in islice(processes.epoch(next(epoch)), steps)),
        lambda: sum(step(resident) for _ in range(steps)),
    ]


def features(data: DataSet, options: argparse.Namespace, device: torch.device, backbone: Backbone) -> list[Run]:
    """All training photos and their mirror images through the frozen backbone, and as many synthetic images."""
    model, preprocessing = build(len(data.labels), "none", backbone), Preprocessing.for_size(options.image_size)
    extractor = FeatureExtractor(model, backbone, preprocessing, device)
    world, photos = World(0, 1, device), data.splits["train"]
    shape = (extractor.micro_batch, options.image_size, options.image_size, 3)
    resident = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)

    def from_photos(processes: bool) -> int:
        with contextlib.redirect_stdout(io.StringIO()):
            return len(extract(data, "train", extractor, world, views=2, processes=processes))

    def synthetic() -> int:
        count = -(-len(photos) // extractor.micro_batch)
        return sum(len(extractor.features(resident, views=2)) for _ in range(count))

    return [lambda: from_photos(False), lambda: from_photos(True), synthetic]


def alternate(runs: Sequence[Run], device: torch.device, *, rounds: int) -> list[float]:
    """Median images per second of each."""
    rates: list[list[float]] = [[] for _ in runs]
    for number in range(rounds + 1):
        for own, run in zip(rates, runs, strict=True):
            started = time.perf_counter()
            photos = run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if number:  # the first round is a warm-up
                own.append(photos / (time.perf_counter() - started))
    return [statistics.median(own) for own in rates]


if __name__ == "__main__":
    sys.exit(main())
