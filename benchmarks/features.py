"""Speed of the frozen backbone on one core in several forms, and the accuracy that mirrored photos add.

    make bench-features
    make bench-features ARGS='--data dogImages --weights resnet50.safetensors'

The first table uses processor time on one thread, so a busy machine changes it little: the best of several passes, with
all forms in alternation. The second table trains the head on the photos' features, with and without mirrored photos,
for several seeds.
"""

import argparse
import contextlib
import copy
import io
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.inputs import add_options, for_training
from benchmarks.processor import print_processor
from contract.options import RECIPES
from inference.photo.preprocessing import Preprocessing
from training.data.dataset import DataSet, scan
from training.data.extract import FeatureExtractor, extract
from training.data.threads import one_thread_each
from training.distributed import World
from training.model.backbone import RESNET50
from training.model.network import build, folded
from training.optim import adamw, set_rate
from training.precision import mixed_precision

CPU = torch.device("cpu")
EPOCHS = 20
BATCH = 64


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Speed of the frozen backbone, and the accuracy that mirrored photos add."
    )
    add_options(parser, weights="ImageNet's")
    parser.add_argument(
        "--rounds", type=int, default=4, help="passes of each form, in alternation (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    print_processor()
    with for_training(options) as (_, folder, weights):
        data = scan(folder)
        model = build(len(data.labels), weights).eval()
        speed(model, options.rounds)
        views(data, model, options.seeds)
    return 0


def speed(model: nn.Module, rounds: int) -> None:
    """Print the images/s of one core, for each form of the backbone."""
    whole = RESNET50.feature_layers(model)
    plain = copy.deepcopy(whole).to(memory_format=torch.channels_last)
    fused = folded(whole).to(memory_format=torch.channels_last)
    half = copy.deepcopy(fused).to(torch.bfloat16)
    autocast = mixed_precision(CPU).autocast

    def in_autocast(inputs: torch.Tensor) -> None:
        with autocast():
            plain(inputs)

    forms: dict[str, tuple[Callable[[torch.Tensor], object], int, torch.dtype]] = {
        "fp32, as built, 32 photos": (whole, 32, torch.float32),
        "fp32, folded, channels last, 8": (fused, 8, torch.float32),
        "autocast, channels last, 32": (in_autocast, 32, torch.float32),
        "autocast, channels last, 8": (in_autocast, 8, torch.float32),
        **{f"bf16, folded, channels last, {count}": (half, count, torch.bfloat16) for count in (4, 8, 16, 32)},
    }
    rates: dict[str, float] = dict.fromkeys(forms, 0.0)
    with torch.inference_mode(), one_thread_each():
        for number in range(rounds + 1):
            for name, (form, count, kind) in forms.items():
                inputs = torch.randn(count, 3, 224, 224).to(kind)
                inputs = inputs if form is whole else inputs.to(memory_format=torch.channels_last)
                before = time.process_time()
                form(inputs)
                if number:  # the first round is a warm-up
                    rates[name] = max(rates[name], count / (time.process_time() - before))
    for name, rate in rates.items():
        print(f"{name:34} {rate:6.1f} images/s of one core", flush=True)


def views(data: DataSet, model: nn.Module, seeds: int) -> None:
    """Print the accuracy on `test` of heads trained on each photo, and on each photo and its mirror image."""
    extractor, world = FeatureExtractor(model, RESNET50, Preprocessing(), CPU), World(0, 1, CPU)
    with contextlib.redirect_stdout(io.StringIO()):
        train = extract(data, "train", extractor, world, views=2)
        test = extract(data, "test", extractor, world, views=1)
    labels = {split: torch.tensor([photo.label for photo in data.splits[split]]) for split in ("train", "test")}
    for name, count in (("each photo", 1), ("and its mirror image", 2)):
        features = train[:, : count * RESNET50.width].reshape(-1, RESNET50.width)
        targets = labels["train"].repeat_interleave(count)
        found = []
        for seed in range(seeds):
            head = fitted(features, targets, len(data.labels), seed)
            correct = head(test[:, : RESNET50.width]).argmax(1) == labels["test"]
            found.append(correct.float().mean().item())
        each = " ".join(f"{accuracy:.3f}" for accuracy in found)
        print(f"{name:34} {statistics.mean(found):6.3f} accuracy on test, mean of {each}", flush=True)


def fitted(features: torch.Tensor, targets: torch.Tensor, classes: int, seed: int) -> nn.Linear:
    """A head trained with the hyperparameters of frozen mode."""
    torch.manual_seed(seed)
    head = nn.Linear(RESNET50.width, classes)
    optimizer = adamw(head, RECIPES["frozen"])
    steps = -(-len(targets) // BATCH) * EPOCHS
    step = 0
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(targets)).chunk(steps // EPOCHS):
            set_rate(optimizer, step / steps)
            torch.autograd.backward(nn.functional.cross_entropy(head(features[batch]), targets[batch]))
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
    return head


if __name__ == "__main__":
    sys.exit(main())
