"""Time to accuracy: our training against the course's recipe, on the same photos and weights, in one run.

    make bench-training                                    # photos of ../shared/real, or drawn ones
    make bench-training ARGS='--data dogImages --pretrained resnet50.safetensors'
    make bench-training ARGS='--epochs 3'                  # of the reference; the rest is extrapolated, and said to be

Each run is a process of its own, started as a user starts it, and timed from its start until its accuracy on `test` is
known; ours is also timed until the artifact is exported and proven. Ours runs with several seeds, before and after the
reference, and the median counts. The reference is charged neither for judging an epoch on `test` nor for an export.
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

from sample_dogs.dataset import write_sample

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "real"
GOAL = 0.1
"""Of the reference's time."""

_PAIR = re.compile(r'(\w+)=("[^"]*"|\S+)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """Seconds of one run, and its accuracy on `test`."""

    decode: float
    forward: float
    head: float
    known: float
    """From the process's start until the accuracy was known: the three above, imports and the reading of weights."""
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
    with tempfile.TemporaryDirectory() as temporary:
        data, pretrained = material_of(options, Path(temporary))
        arguments = ["--data", str(data), "--pretrained", pretrained]
        print(f"photos in {data}, weights {pretrained}", flush=True)
        ours = [_ours(arguments, seed, Path(temporary)) for seed in range(options.seeds - 1)]
        epochs = _reference(arguments, options)
        ours.append(_ours(arguments, options.seeds - 1, Path(temporary)))
    _report(ours, epochs, options.of)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time to accuracy, against the course's recipe.")
    parser.add_argument(
        "--data", type=Path, help="train/, valid/, test/ (default: ../shared/real/dogs, or drawn photos)"
    )
    parser.add_argument("--pretrained", help="resnet50 weights (default: those in ../shared/real, or ImageNet's)")
    parser.add_argument("--epochs", type=int, default=20, help="of the reference that are really run (default: 20)")
    parser.add_argument("--batch-size", type=int, default=32, help="the reference's (default: what favours it most)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="the reference's (default: the same)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of ours (default: 3)")
    options = parser.parse_args()
    if options.epochs < 1 or options.seeds < 2:
        parser.error("--epochs must be at least 1 and --seeds at least 2: one run before and one after the reference.")
    options.of = max(20, options.epochs)
    return options


def material_of(options: argparse.Namespace, temporary: Path) -> tuple[Path, str]:
    """The photos and weights that the options name, or the best there are."""
    weights = sorted(REAL.glob("*.safetensors"))
    pretrained = options.pretrained or (str(weights[0]) if weights else "imagenet")
    if options.data or (REAL / "dogs").is_dir():
        return options.data or REAL / "dogs", pretrained
    write_sample(temporary / "photos", seed=0)
    return temporary / "photos", pretrained


def _ours(arguments: Sequence[str], seed: int, folder: Path) -> Ours:
    fields: dict[str, str] = {}
    decode = forward = looked = known = exporting = 0.0
    command = ["training.train", *arguments, "--model-dir", str(folder / "model"), "--seed", str(seed)]
    for at, pairs in lines_of(command):
        fields.update(pairs)
        if "forward_s" in pairs:
            decode, forward, looked = decode + float(pairs["decode_s"]), forward + float(pairs["forward_s"]), at
        known = at if pairs.get("stage") == "judged" else known
        exporting = at if pairs.get("stage") == "export" else exporting
    accuracy = float(fields["test_accuracy"])
    print(f"ours       seed {seed}: {accuracy:.3f} after {known:.1f} s, exported after {at:.1f} s", flush=True)
    return Ours(
        decode=decode,
        forward=forward,
        head=known - looked,
        known=known,
        export=at - exporting,
        whole=at,
        accuracy=accuracy,
    )


def _reference(arguments: Sequence[str], options: argparse.Namespace) -> list[Epoch]:
    recipe = ["--batch-size", str(options.batch_size), "--learning-rate", str(options.learning_rate)]
    command = ["benchmarks.course_script", *arguments, *recipe, "--epochs", str(options.epochs)]
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
        tempfile.TemporaryFile("w+") as errors,  # a pipe that nobody reads would fill up and stop the process
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


def _report(ours: Sequence[Ours], epochs: Sequence[Epoch], of: int) -> None:
    def median(name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in ours))

    accuracy, known, whole = median("accuracy"), median("known"), median("whole")
    other = known - median("decode") - median("forward") - median("head")
    print(f"\nours, median of {len(ours)} seeds                    s")
    for name, seconds in (
        ("start: imports, weights", other),
        ("decode", median("decode")),
        ("forward", median("forward")),
        ("head", median("head")),
        ("accuracy known", known),
        ("export and proof", median("export")),
        ("whole run", whole),
    ):
        print(f"  {name:32} {seconds:8.1f}")

    best = max(epochs, key=lambda epoch: epoch.accuracy)
    per_epoch = epochs[-1].seconds / len(epochs)
    all_epochs = epochs[-1].seconds + per_epoch * (of - len(epochs))
    note = "" if len(epochs) >= of else f" (extrapolated from {len(epochs)} epochs; best accuracy so far only)"
    print(f"reference, {of} epochs                         {all_epochs:8.1f}{note}")
    print(f"  its best epoch, {epochs.index(best) + 1:2}, was known after     {best.seconds:8.1f}")

    spread = f"{min(run.accuracy for run in ours):.3f} to {max(run.accuracy for run in ours):.3f}"
    print(f"\naccuracy on test: ours {accuracy:.3f} ({spread}), the reference's best {best.accuracy:.3f}")
    print("\nwithin       ours   reference")
    for what, seconds in (("our time", known), ("our time, exported", whole), ("all its epochs", all_epochs)):
        done = [epoch.accuracy for epoch in epochs if epoch.seconds <= seconds]
        print(f"{seconds:7.1f} s   {accuracy:.3f}   {f'{max(done):.3f}' if done else 'no epoch done'}   ({what})")

    print()
    for what, ratio in (
        ("time, of the reference's", known / all_epochs),
        ("the same, with export", whole / all_epochs),
        ("time, of that until its best epoch", known / best.seconds),
    ):
        goal = "" if "until" in what else f"; goal: at most {GOAL}"  # a stricter question than the goal's
        print(f"{what:36} {ratio:6.3f}  (1/{1 / ratio:.0f}{goal})")
    print(f"{'accuracy, less its best':36} {accuracy - best.accuracy:+6.3f}  (goal: at least 0)")


if __name__ == "__main__":
    sys.exit(main())
