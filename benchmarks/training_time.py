"""Time to accuracy: Kennel's training compared with the course's script, on the same photos and weights, in one run.

    make bench-training                                    # drawn photos, and ImageNet's weights
    make bench-training ARGS='--data dogImages --weights resnet50.safetensors'
    make bench-training ARGS='--epochs 3'                  # of the reference; the output marks extrapolated figures

Each run is its own process, started as a user starts it, and timed from its start until its accuracy on `test` is
known. Kennel's run is also timed until the artifact is exported and verified. Kennel runs with several seeds, before
and after the reference, and the median counts. The reference's time excludes its evaluations on `test`, and it exports
nothing.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inputs import add_options, for_training
from benchmarks.processor import print_processor

ROOT = Path(__file__).resolve().parents[1]
GOAL = 0.1
"""Share of the reference's time."""

_PAIR = re.compile(r'(\w+)=("[^"]*"|\S+)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Seconds of one of Kennel's runs, and its accuracy on `test`."""

    decode: float
    forward: float
    head: float
    known: float
    """From the process's start until the accuracy was known: the three above, imports, and reading the weights."""
    export: float
    whole: float
    accuracy: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch:
    seconds: float
    """From the process's start."""
    accuracy: float


def main() -> int:
    options = _options()
    print_processor()
    with for_training(options) as (temporary, data, weights):
        arguments = ["--data", str(data), "--pretrained", weights]
        runs = [_kennel(arguments, seed, temporary) for seed in range(options.seeds - 1)]
        epochs = _reference(arguments, options)
        runs.append(_kennel(arguments, options.seeds - 1, temporary))
    _report(runs, epochs, options.of)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time to accuracy, compared with the course's script.")
    add_options(parser, weights="ImageNet's")
    parser.add_argument(
        "--epochs",
        type=int,
        default=20,
        help="epochs of the reference that run, the rest is extrapolated (default: 20)",
    )
    parser.add_argument("--batch-size", type=int, default=32, help="of the reference (default: its fastest)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of the reference (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of Kennel (default: 3)")
    options = parser.parse_args()
    if options.epochs < 1 or options.seeds < 2:
        parser.error("--epochs must be at least 1 and --seeds at least 2: one run before and one after the reference.")
    options.of = max(20, options.epochs)
    return options


def _kennel(arguments: Sequence[str], seed: int, folder: Path) -> Run:
    fields: dict[str, str] = {}
    decode = forward = features = known = exporting = 0.0
    command = ["training.train", *arguments, "--model-dir", str(folder / "model"), "--seed", str(seed)]
    for at, pairs in lines_of(command):
        fields.update(pairs)
        if "forward_s" in pairs:
            decode, forward, features = decode + float(pairs["decode_s"]), forward + float(pairs["forward_s"]), at
        known = at if pairs.get("stage") == "evaluated" else known
        exporting = at if pairs.get("stage") == "export" else exporting
    accuracy = float(fields["test_accuracy"])
    print(f"kennel     seed {seed}: {accuracy:.3f} after {known:.1f} s, exported after {at:.1f} s", flush=True)
    return Run(
        decode=decode,
        forward=forward,
        head=known - features,
        known=known,
        export=at - exporting,
        whole=at,
        accuracy=accuracy,
    )


def _reference(arguments: Sequence[str], options: argparse.Namespace) -> list[Epoch]:
    options_of_reference = ["--batch-size", str(options.batch_size), "--learning-rate", str(options.learning_rate)]
    command = ["benchmarks.course_script", *arguments, *options_of_reference, "--epochs", str(options.epochs)]
    epochs = []
    for _, pairs in lines_of(command):
        if "epoch" in pairs:
            epochs.append(Epoch(seconds=float(pairs["elapsed_s"]), accuracy=float(pairs["test_accuracy"])))
            print(
                f"reference  epoch {pairs['epoch']} of {options.epochs}: {epochs[-1].accuracy:.3f} after "
                f"{epochs[-1].seconds:.1f} s",
                flush=True,
            )
    return epochs


def lines_of(command: Sequence[str]) -> Iterator[tuple[float, dict[str, str]]]:
    """(seconds since the process's start, key=value pairs) of each line it prints, and of its end."""
    started = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as errors,  # a pipe without a reader would fill up and block the process
        subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - for mypy
        try:
            for line in process.stdout:
                yield time.monotonic() - started, dict(_PAIR.findall(line))
        except BaseException:
            process.terminate()
            raise
        if process.wait():
            errors.seek(0)
            sys.exit(f"{command[0]} ended with status {process.returncode}:\n{errors.read()}")
    yield time.monotonic() - started, {}


def _report(runs: Sequence[Run], epochs: Sequence[Epoch], of: int) -> None:
    def median(name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in runs))

    accuracy, known, whole = median("accuracy"), median("known"), median("whole")
    other = known - median("decode") - median("forward") - median("head")
    print(f"\nKennel, median of {len(runs)} seeds                  s")
    for name, seconds in (
        ("start: imports, weights", other),
        ("decode", median("decode")),
        ("forward", median("forward")),
        ("head", median("head")),
        ("accuracy known", known),
        ("export and verification", median("export")),
        ("whole run", whole),
    ):
        print(f"  {name:32} {seconds:8.1f}")

    best = max(epochs, key=lambda epoch: epoch.accuracy)
    per_epoch = epochs[-1].seconds / len(epochs)
    all_epochs = epochs[-1].seconds + per_epoch * (of - len(epochs))
    note = "" if len(epochs) >= of else f" (extrapolated from {len(epochs)} epochs; best accuracy so far only)"
    print(f"reference, {of} epochs                         {all_epochs:8.1f}{note}")
    print(f"  its best epoch, {epochs.index(best) + 1:2}, was known after     {best.seconds:8.1f}")

    spread = f"{min(run.accuracy for run in runs):.3f} to {max(run.accuracy for run in runs):.3f}"
    print(f"\naccuracy on test: Kennel {accuracy:.3f} ({spread}), the reference's best epoch {best.accuracy:.3f}")
    print("\nwithin     Kennel   reference")
    for what, seconds in (
        ("Kennel's time", known),
        ("Kennel's time with export", whole),
        ("all epochs of the reference", all_epochs),
    ):
        done = [epoch.accuracy for epoch in epochs if epoch.seconds <= seconds]
        print(f"{seconds:7.1f} s   {accuracy:.3f}   {f'{max(done):.3f}' if done else 'no epoch ended'}   ({what})")

    print()
    for what, ratio in (
        ("time / reference", known / all_epochs),
        ("time with export / reference", whole / all_epochs),
        ("time / until the reference's best epoch", known / best.seconds),
    ):
        goal = "" if "until" in what else f"; goal: at most {GOAL}"  # stricter than the goal
        print(f"{what:42} {ratio:6.3f}  (1/{1 / ratio:.0f}{goal})")
    print(f"{'accuracy minus best of the reference':42} {accuracy - best.accuracy:+6.3f}  (goal: at least 0)")


if __name__ == "__main__":
    sys.exit(main())
