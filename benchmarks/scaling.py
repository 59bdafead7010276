"""Training on two hosts of one core each against one such host: side by side, in turns, in one run.

    make bench-scaling
    make bench-scaling ARGS="--data dogImages --pretrained FOLDER_WITH_WEIGHTS --rounds 5"

Both train the same ResNet50 on the same photos in the same global batches, each host pinned to one core; two hosts are
joined by a virtual cable (network namespaces; loopback where those are refused). Efficiency is the time of one host
over twice the time of two. Time runs from the start of training, when the processes have met, to the end of the last
epoch: photos, features, steps and validation; not the imports before it, nor the export after it, which rank 0 does
alone.

Two cores of one machine share its memory and, in the cloud, its mood. So the same run shows the ceiling: two hosts that
train apart, at the same time, against one. What the two hosts lose to it is what training together costs. On a busy
machine the processor time of rank 0 tells more: all its work, but not its waiting. It is printed by stage, too: half of
the lonely host's is what sharing all work would leave.
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

from ops.views.training_log import fields_of
from rehearsal.hosts.choice import Loopback, Network
from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from rehearsal.hosts.training_job import run_training_job
from sample_dogs.breeds import BREEDS
from sample_dogs.dataset import write_sample

PROGRAM = Path(__file__).resolve().with_name("pinned_training.py")
GOAL = 0.9
PHOTOS = {"frozen": 192, "full": 24}
"""To learn, of each of eight breeds: enough for over a minute on one core, and a fifth or less of what a real set has.
They divide evenly between two hosts, as the photos of a large set nearly do."""
JUDGED = 8
OPTIONS: dict[str, dict[str, object]] = {"frozen": {"epochs": 20}, "full": {"epochs": 6}}
"""Full mode does some things once: each host decodes all photos to learn, and its first step makes the kernels for the
shapes of every layer. Over six epochs that weighs more than over twenty, and the last epoch has none of it."""


class TrainedError(Exception):
    """The last epoch is over: what follows is not part of the measurement."""


ENDED_BY = {
    "features": "network, features",
    "decode": "fitted head",
    "photos": "decoding",
    "decoded": "decoding",
    "head": "judging the head",
}
"""What a host has done when it prints the line of a stage, where that is not the stage's own name."""


@dataclass(slots=True)
class Watch:
    """Reads the lines of rank 0 until the last epoch."""

    seconds: float = 0.0
    last_epoch_s: float = 0.0
    sent: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    """Processor time of rank 0, by what it was taken for, in the order of the run."""
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
                raise TrainedError


def trained(folder: Path, data: Path, pretrained: Path, network: Network, mode: str, cores: tuple[int, ...]) -> Watch:
    """One training on as many hosts as there are cores."""
    watch = Watch()
    shutil.rmtree(folder, ignore_errors=True)  # the turn before may have left the checkpoint of its last epoch
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
    except TrainedError:
        return watch
    raise SystemExit("the training ended without a last epoch:\n" + "\n".join(watch.lines))


def apart(folder: Path, data: Path, pretrained: Path, mode: str, cores: tuple[int, ...]) -> float:
    """Seconds of two hosts that know nothing of each other, at the same time; the mean of both."""
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
    """Take all figures of one mode, in turns, and print them."""
    data = arguments.data or folder / f"photos-{mode}"
    if arguments.data is None:
        counts = {"train": PHOTOS[mode], "valid": JUDGED, "test": JUDGED}
        write_sample(data, counts=counts, breeds=BREEDS[:8])
    one: list[Watch] = []
    two: list[Watch] = []
    both: list[float] = []
    for turn in range(arguments.rounds):
        one.append(trained(folder / "one", data, arguments.pretrained, Loopback(), mode, cores[:1]))
        two.append(trained(folder / "two", data, arguments.pretrained, network, mode, cores))
        if turn % 2 == 0:
            both.append(apart(folder / "apart", data, arguments.pretrained, mode, cores))
        told = f"one host {one[-1].seconds:.1f} s, two {two[-1].seconds:.1f} s, two apart {both[-1]:.1f} s"
        print(f"{mode:6} turn {turn + 1}: {told}", flush=True)
    alone, together = (statistics.median(watch.seconds for watch in watches) for watches in (one, two))
    last = [statistics.median(watch.last_epoch_s for watch in watches) for watches in (one, two)]
    of_last = f"of the last epoch {last[0] / last[1] / 2:.2f}; " if mode == "full" else ""  # the head's takes 30 ms
    work = [statistics.median(watch.processor_s for watch in watches) for watches in (one, two)]
    for stage in one[0].stages:
        alone_s, together_s = (statistics.median(watch.stages[stage] for watch in watches) for watches in (one, two))
        print(f"{mode:6}   {stage:18} {alone_s:7.2f} s of processor time, of rank 0 of two {together_s:7.2f} s")
    print(
        f"{mode:6} efficiency {alone / together / 2:.2f} (goal: at least {GOAL}), where the machine's ceiling is "
        f"{alone / statistics.median(both):.2f}; {of_last}"
        f"by processor time {work[0] / work[1] / 2:.2f}; "
        f"{two[-1].sent / 1e6:.3f} MB sent by each host in a step",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Two training hosts of one core against one.",
        epilog="example: python -m benchmarks.scaling --mode full --rounds 5",
    )
    parser.add_argument("--mode", choices=[*OPTIONS, "both"], default="both", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement, in turns (default: %(default)s)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="photos; drawn ones, if none are given")
    parser.add_argument(
        "--pretrained", type=Path, metavar="DIR", help="a folder with the weights; random ones, if none"
    )
    arguments = parser.parse_args()
    cores = tuple(sorted(os.sched_getaffinity(0)))[:2]
    if len(cores) < 2:
        raise SystemExit("This measurement needs two cores, and this process may use one; give it another.")
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
    """ResNet50 that has seen nothing: what it learns means nothing, and takes as long."""
    from safetensors.torch import save_file
    from torchvision.models import resnet50

    folder.mkdir()
    save_file(resnet50(num_classes=2).state_dict(), folder / "resnet50.safetensors")
    return folder


if __name__ == "__main__":
    main()
