"""How long a rehearsal takes and how much memory its AWS holds, all in one run, with the set-up done.

    make bench-rehearsal
    make bench-rehearsal ARGS="--pretrained resnet50.safetensors --runs 3"

Each run is two processes of `kennel rehearse`, in new folders:

1. With a training, and `--keep`: from the start of the process until the function has answered the first photo. It
   draws the photos, too. Then nothing calls the AWS for a while, and the memory of all of its processes is added up.
2. With the artifact of the first and `--full`: the same without a training, an update while the function is called
   (one failed call ends the rehearsal), and a destroy.

Times are those of the wall clock, so they mean little on a busy machine: the load of the machine is printed beside
them, and the processor time of each process, which a busy machine changes less. Memory is PSS, which counts a page that
several processes share once: `Pss` in /proc/PID/smaps_rollup.
"""

import argparse
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.goals import goal
from benchmarks.processor import print_processor

ROOT = Path(__file__).resolve().parents[1]
KENNEL = (sys.executable, "-c", "from ops.cli import main; main()")
IDLE_S = 10
LAST_LINES = 40

_STEP = re.compile(r"^(ok )?\d+/\d+  (.*?)(?: \.\.\.|  \d+ s)$")
_ROW = re.compile(r"\.jpg .* (\d+)$")
_MEDIAN = re.compile(r"median (\d+) ms")
_CALLS = re.compile(r"(\d+) calls meanwhile, each answered with 200")
_EPOCH, _EXPORT = re.compile(r"(epoch \d+ of|features of)"), "exporting to ONNX"


@dataclass(slots=True)
class Run:
    """What a rehearsal printed, and when, in seconds since its process started."""

    began: dict[str, float] = field(default_factory=dict)
    """The steps, by their titles."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each step took."""
    epochs: list[float] = field(default_factory=list)
    """The lines about features and epochs."""
    export: float = 0.0
    first_ms: float | None = None
    """How long the first call took."""
    median_ms: float = 0.0
    calls: int = 0
    """Calls during the update, all answered with 200."""
    processor_s: float = 0.0
    """Of the rehearsal and of all processes that it has started and that have ended."""

    def read(self, at: float, line: str) -> None:
        if step := _STEP.match(line):
            if step[1]:
                self.seconds[step[2]] = at - self.began[step[2]]
            else:
                self.began[step[2]] = at
        elif _EPOCH.search(line):
            self.epochs.append(at)
        elif _EXPORT in line:
            self.export = at
        elif row := _ROW.search(line):
            self.first_ms = float(row[1]) if self.first_ms is None else self.first_ms
        elif found := _MEDIAN.search(line):
            self.median_ms = float(found[1])
        elif found := _CALLS.search(line):
            self.calls = int(found[1])

    def first_prediction(self) -> float:
        return self.step("Predict", self.began) + (self.first_ms or 0.0) / 1000

    def step(self, first_words: str, of: dict[str, float] | None = None) -> float:
        """The seconds of the step whose title begins so."""
        return next(value for title, value in (of or self.seconds).items() if title.startswith(first_words))


def main() -> int:
    parser = argparse.ArgumentParser(description="Time and memory of a rehearsal, with and without a training.")
    parser.add_argument("--runs", type=int, default=1, help="the median counts (default: 1)")
    parser.add_argument(
        "--pretrained", default="none", help="weights of the training, as of `kennel rehearse` (default: none)"
    )
    options = parser.parse_args()
    print_processor()
    figures: dict[str, list[float]] = {}
    for number in range(options.runs):
        print(f"run {number + 1} of {options.runs}; load of the machine: {os.getloadavg()[0]:.1f}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for name, value in measured(Path(folder), options.pretrained).items():
                figures.setdefault(name, []).append(value)
    report({name: statistics.median(values) for name, values in figures.items()})
    return 0


def measured(folder: Path, pretrained: str) -> dict[str, float]:
    """The figures of one run, by name."""
    idle: list[float] = []

    def when_idle(process: "subprocess.Popen[str]") -> None:
        time.sleep(IDLE_S)
        idle.append(pss_mb(folder, but=process.pid))
        process.send_signal(signal.SIGINT)

    trained = rehearsed(["--folder", str(folder / "trained"), "--pretrained", pretrained, "--keep"], when_idle)
    if not idle:
        raise SystemExit("The rehearsal ended before its AWS was idle. Run it alone: make rehearse")
    model = folder / "trained" / "job" / "model"
    full = rehearsed(["--folder", str(folder / "model"), "--model", str(model), "--full"])
    deploy = trained.step("cdk deploy --all", trained.began)
    return {
        "drawing the photos": trained.step("Draw"),
        "start, synth and bootstrap": trained.step("Start") + trained.step("cdk synth"),
        "Storage and uploads": trained.step("cdk deploy Storage") + trained.step("kennel"),
        "deploy until the first line of the training": trained.epochs[0] - deploy,
        "features or epochs": trained.export - trained.epochs[0],
        "export, endpoint and the rest": trained.step("Predict", trained.began) - trained.export,
        "with": trained.first_prediction(),
        "without": full.first_prediction(),
        "update": full.step("Update"),
        "calls": full.calls,
        "destroy": full.step("cdk destroy"),
        "idle": idle[0],
        "call": trained.median_ms,
        "processor": trained.processor_s,
        "processor without": full.processor_s,
    }


def rehearsed(words: Sequence[str], when_idle: Callable[["subprocess.Popen[str]"], None] | None = None) -> Run:
    """Run a rehearsal to its end. when_idle: called once its AWS waits for Ctrl-C."""
    run, used, started = Run(), processor_s(), time.monotonic()
    printed: list[str] = []
    with subprocess.Popen(
        [*KENNEL, "rehearse", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for mypy
        try:
            for line in process.stdout:
                at = time.monotonic() - started
                printed.append(line)
                run.read(at, line.rstrip())
                if _STEP.match(line.rstrip()):
                    print(f"  {at:6.1f} s  {line.rstrip()}", flush=True)
                if when_idle and line.startswith("Ctrl-C"):
                    when_idle(process)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        end = "".join(printed[-LAST_LINES:])
        raise SystemExit(f"`kennel rehearse {' '.join(words)}` ended with the status {process.returncode}:\n{end}")
    run.processor_s = processor_s() - used
    return run


def processor_s() -> float:
    """Processor time of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pss_mb(folder: Path, *, but: int) -> float:
    """MB of all processes that have this folder in their environment or command, without the rehearsal's own."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if int(process.name) not in (but, os.getpid()) and os.fsencode(folder) in known:
                total += int(re.findall(r"^Pss: +(\d+) kB", (process / "smaps_rollup").read_text(), re.MULTILINE)[0])
        except OSError:  # it has just ended
            continue
    return total * 1024 / 1e6


def report(found: dict[str, float]) -> None:
    """Print the figures and their goals."""
    print("\nThe rehearsal with a training                                                 s")
    for name in list(found)[: list(found).index("with")]:
        print(f"  {name:68}{found[name]:10.4g}")
    print(f"  {'processor time, the end of the AWS included':68}{found['processor']:10.4g}")
    print(f"  {'the same without a training, with update and destroy':68}{found['processor without']:10.4g}")
    goal("cold start to the first prediction with a training, s", found["with"], at_most=180)
    goal("the same without a training, s", found["without"], at_most=45)
    goal(f"update while {found['calls']:.0f} calls are answered, none failed, s", found["update"], at_most=60)
    goal("destroy, s", found["destroy"], at_most=25)
    goal("memory of the idle AWS and its processes (PSS), MB", found["idle"], at_most=1500)
    print(f"{'median of a call through the alias, ms':70}{found['call']:10.4g}")


if __name__ == "__main__":
    sys.exit(main())
