"""Accuracy and time of a head on frozen features compared with full fine-tuning, on the same photos and weights.

    make bench-training-modes
    make bench-training-modes ARGS='--epochs 8 --rates 5e-5 2e-4 --seeds 5'

The modes alternate for each seed, each in its own process with the default hyperparameters of its mode; `full` once for
each rate. The table has every seed's accuracy on `test`, so that the spread is visible.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.inputs import add_options, for_training
from benchmarks.processor import print_processor
from benchmarks.training_time import lines_of


@dataclass(slots=True)
class Mode:
    options: Sequence[str]
    accuracies: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """Cross-entropy on `test` as served: with the temperature fitted on `valid`."""
    kept: list[str] = field(default_factory=list)
    """The epoch that was best on `valid`; 0 is the fitted head, before any fine-tuning."""
    seconds: list[float] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description="Frozen features compared with full fine-tuning, over several seeds.")
    add_options(parser, weights="ImageNet's")
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=4, help="of full fine-tuning (default: %(default)s)")
    parser.add_argument(
        "--rates", nargs="+", default=[], help="learning rates of full fine-tuning, in alternation (default: its own)"
    )
    options = parser.parse_args()
    modes = {"frozen": Mode(["--mode", "frozen"])}
    full = ["--mode", "full", "--epochs", str(options.epochs), "--batch-size", "32"]
    for rate in options.rates:
        modes[f"full, rate {rate}"] = Mode([*full, "--learning-rate", rate])
    modes = modes if options.rates else {**modes, "full": Mode(full)}
    print_processor()
    with for_training(options) as (temporary, data, weights):
        for seed in range(options.seeds):
            for name, mode in modes.items():
                print(f"{name}, seed {seed} ...", flush=True)
                given = ["--data", str(data), "--pretrained", weights, "--seed", str(seed), "--precision", "fp32"]
                run(mode, ["training.train", *given, "--model-dir", f"{temporary}/model", *mode.options])
    report(modes)
    return 0


def run(mode: Mode, command: Sequence[str]) -> None:
    """Run one training to its end. Its last log line has the epoch that it kept."""
    fields: dict[str, str] = {}
    for at, pairs in lines_of(command):
        fields.update(pairs)
        if pairs.get("stage") == "evaluated":
            mode.seconds.append(at)
        if pairs.get("stage") == "head" or "of" in pairs:
            print(f"  epoch {pairs['epoch']}: valid accuracy {pairs['valid_accuracy']} after {at:.0f} s", flush=True)
    mode.accuracies.append(float(fields["test_accuracy"]))
    mode.losses.append(float(fields["served_test_loss"]))
    mode.kept.append(fields["epoch"])


def report(modes: dict[str, Mode]) -> None:
    """Print a line for each mode, and its difference from the first mode, paired by seed."""
    print(f"\n{'mode':20} {'accuracy':>8} {'loss':>7} {'s':>7}  by seed: accuracy, loss (epoch kept)")
    for name, mode in modes.items():
        each = zip(mode.accuracies, mode.losses, mode.kept, strict=True)
        seeds = ", ".join(f"{accuracy:.3f} {loss:.3f} ({kept})" for accuracy, loss, kept in each)
        means = f"{statistics.mean(mode.accuracies):8.3f} {statistics.mean(mode.losses):7.3f}"
        print(f"{name:20} {means} {statistics.median(mode.seconds):7.0f}  {seeds}")
    (first, one), *others = modes.items()
    for name, mode in others:
        accuracy, loss = difference(mode.accuracies, one.accuracies), difference(mode.losses, one.losses)
        print(f"{name} minus {first}: accuracy {accuracy}, loss {loss} (mean over the seeds, and its standard error)")


def difference(these: Sequence[float], those: Sequence[float]) -> str:
    """Two runs of one seed are a pair: both start from the same head and use the photos in the same order."""
    pairs = [one - other for one, other in zip(these, those, strict=True)]
    error = f"{statistics.stdev(pairs) / len(pairs) ** 0.5:.4f}" if len(pairs) > 1 else "unknown"
    return f"{statistics.mean(pairs):+.4f} ± {error}"


if __name__ == "__main__":
    sys.exit(main())
