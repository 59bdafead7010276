"""Training on two hosts of one core each, compared with one such host, in alternation in one run.

    make bench-scaling
    make bench-scaling ARGS="--data dogImages --pretrained FOLDER_WITH_WEIGHTS --rounds 5"

Both train the same ResNet50 on the same photos in the same global batches, with each host pinned to one core. A virtual
network link connects the two hosts (network namespaces, or loopback if the system refuses them). Efficiency is the time
of one host divided by twice the time of two. Time counts from the start of training, after the process group has
formed, to the end of the last epoch. It includes photos, features, steps and validation, and excludes the imports
before and the export after, which rank 0 does alone.

Two cores of one machine share its memory, and in the cloud their speed varies. The same run therefore measures the
limit: two independent trainings at the same time, compared with one. The difference to that limit is the cost of
distributed training. On a busy machine, rank 0's processor time is more reliable: it includes all of its work and none
of its waiting. It is also printed for each stage. Half of the single host's time is what a perfect division of the work
would leave.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processor import print_processor
from ops.views.training_log import fields_of
from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from rehearsal.hosts.network import Loopback, Network
from rehearsal.hosts.training_job import run_training_job
from sample_dogs.breeds import BREEDS
from sample_dogs.dataset import write_sample

PROGRAM = Path(__file__).resolve().with_name("pinned_training.py")
GOAL = 0.9
PHOTOS = {"frozen": 192, "full": 24}
"""Training photos of each of eight breeds: over a minute on one core, and at most a fifth of a real data set.
They divide evenly between two hosts, as the photos of a large data set nearly do."""
EVALUATED = 8
"""Photos of each breed in `valid` and in `test`."""
OPTIONS: dict[str, dict[str, object]] = {"frozen": {"epochs": 20}, "full": {"epochs": 6}}
"""Full mode does some work once: each host decodes all training photos, and its first step compiles the kernels for
every layer's shapes. In six epochs that is a larger share than in twenty, and the last epoch has none of it."""


class LastEpochError(Exception):
    """The last epoch has ended. The measurement ends here."""


ENDED_BY = {
    "features": "network, features",
    "decode": "fitted head",
    "photos": "decoding",
    "decoded": "decoding",
    "head": "evaluating the head",
}
"""The work that a host has finished when it logs a stage, if the stage has another name."""


@dataclass(slots=True)
class Watch:
    """Reads rank 0's log lines until the last epoch ends."""

    seconds: float = 0.0
    last_epoch_s: float = 0.0
    sent: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    """Rank 0's processor time in seconds by kind of work, in the order of the run."""
    lines: list[str] = field(default_factory=list)
    _until: float = 0.0

    @property
    def processor_s(self) -> float:
        return sum(self.stages.values())

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        pairs = fields_of(line)
        if "processor_s" not in pairs:
            return
        now, stage = float(pairs["processor_s"]), pairs.get("stage", "epochs")
        if stage != "start":
            work = ENDED_BY.get(stage, stage)
            self.stages[work] = self.stages.get(work, 0.0) + now - self._until
        self._until = now
        if "of" in pairs:
            until, self.seconds = self.seconds, float(pairs["elapsed_s"])
            if pairs["epoch"] == pairs["of"]:
                self.last_epoch_s, self.sent = self.seconds - until, int(pairs.get("sent_bytes_per_step", 0))
                raise LastEpochError


def trained(folder: Path, data: Path, pretrained: Path, network: Network, mode: str, cores: tuple[int, ...]) -> Watch:
    """One training, with one host for each core."""
    watch = Watch()
    shutil.rmtree(folder, ignore_errors=True)  # the round before may have left the checkpoint of its last epoch
    try:
        run_training_job(
            [sys.executable, str(PROGRAM)],
            job_dir=folder,
            hosts=len(cores),
            channels={"data": data, "pretrained": pretrained},
            hyperparameters={"mode": mode, "checkpoint-every": 10_000, **OPTIONS[mode]},
            env={"CORES": ",".join(map(str, cores)), "OMP_NUM_THREADS": "1"},
            on_line=watch,
            network=network,
        )
    except LastEpochError:
        return watch
    raise SystemExit("the training ended before its last epoch:\n" + "\n".join(watch.lines))


def independent(folder: Path, data: Path, pretrained: Path, mode: str, cores: tuple[int, ...]) -> float:
    """Seconds of two independent trainings at the same time, one on each core. Mean of both."""
    watches: list[Watch] = []

    def one(core: int) -> None:
        watches.append(trained(folder / str(core), data, pretrained, Loopback(), mode, (core,)))

    threads = [threading.Thread(target=one, args=(core,)) for core in cores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statistics.mean(watch.seconds for watch in watches)


def measure(mode: str, arguments: argparse.Namespace, network: Network, folder: Path, cores: tuple[int, ...]) -> None:
    """Measure one mode, in alternation, and print the figures."""
    data = arguments.data or folder / f"photos-{mode}"
    if arguments.data is None:
        counts = {"train": PHOTOS[mode], "valid": EVALUATED, "test": EVALUATED}
        write_sample(data, counts=counts, breeds=BREEDS[:8])
    one: list[Watch] = []
    two: list[Watch] = []
    both: list[float] = []
    for turn in range(arguments.rounds):
        one.append(trained(folder / "one", data, arguments.pretrained, Loopback(), mode, cores[:1]))
        two.append(trained(folder / "two", data, arguments.pretrained, network, mode, cores))
        if turn % 2 == 0:
            both.append(independent(folder / "independent", data, arguments.pretrained, mode, cores))
        times = f"one host {one[-1].seconds:.1f} s, two {two[-1].seconds:.1f} s, two independent {both[-1]:.1f} s"
        print(f"{mode:6} round {turn + 1}: {times}", flush=True)
    alone, together = (statistics.median(watch.seconds for watch in watches) for watches in (one, two))
    last = [statistics.median(watch.last_epoch_s for watch in watches) for watches in (one, two)]
    of_last = (
        f"last epoch alone {last[0] / last[1] / 2:.2f}; " if mode == "full" else ""
    )  # an epoch of the head takes 30 ms
    work = [statistics.median(watch.processor_s for watch in watches) for watches in (one, two)]
    for stage in one[0].stages:
        alone_s, together_s = (statistics.median(watch.stages[stage] for watch in watches) for watches in (one, two))
        print(
            f"{mode:6}   {stage:18} {alone_s:7.2f} s of processor time with one host, "
            f"{together_s:7.2f} s on rank 0 of two"
        )
    print(
        f"{mode:6} efficiency {alone / together / 2:.2f} (goal: at least {GOAL}; limit of this machine "
        f"{alone / statistics.median(both):.2f}); {of_last}"
        f"by processor time {work[0] / work[1] / 2:.2f}; "
        f"{two[-1].sent / 1e6:.3f} MB sent by each host in each step",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Two training hosts of one core each, compared with one.",
        epilog="example: python -m benchmarks.scaling --mode full --rounds 5",
    )
    parser.add_argument("--mode", choices=[*OPTIONS, "both"], default="both", help="default: %(default)s")
    parser.add_argument(
        "--rounds", type=int, default=3, help="of each measurement, in alternation (default: %(default)s)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="photos (default: drawn ones)")
    parser.add_argument(
        "--pretrained", type=Path, metavar="DIR", help="a folder with weights (default: random weights)"
    )
    arguments = parser.parse_args()
    print_processor()
    cores = tuple(sorted(os.sched_getaffinity(0)))[:2]
    if len(cores) < 2:
        raise SystemExit("This benchmark needs two cores, but this process may use only one. Allow it another one.")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        try:
            network: Network = stack.enter_context(Namespaces(folder / "network"))
        except NamespacesRefusedError as error:
            network = Loopback()
            print(error)
        if arguments.pretrained is None:
            arguments.pretrained = random_weights(folder / "weights")
        for mode in OPTIONS if arguments.mode == "both" else [arguments.mode]:
            measure(mode, arguments, network, folder, cores)


def random_weights(folder: Path) -> Path:
    """ResNet50 with random weights. Its accuracy has no meaning, but its training takes the same time."""
    from safetensors.torch import save_file
    from torchvision.models import resnet50

    folder.mkdir()
    save_file(resnet50(num_classes=2).state_dict(), folder / "resnet50.safetensors")
    return folder


if __name__ == "__main__":
    main()
