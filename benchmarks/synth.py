"""Duration of the whole app's synthesis compared with an app with one bucket, in alternation in one run.

    make bench-synth
    make bench-synth ARGS="--runs 15"

Each figure is the wall time and the processor time of one `python app.py` process as the CDK command line starts it,
with imports and jsii's node process. A busy machine changes the processor time little. Both apps use the same
interpreter, feature flags and switches. CDK's own validation of templates (a WebAssembly engine that takes seconds to
start) is off for both, as in `make synth`. The last line has the time of the app with one bucket with validation on,
which is CDK's default. `empty stacks` is the lower limit: the whole app's imports and its six stacks, each empty.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processor import print_processor

ROOT = Path(__file__).resolve().parents[1]
GOAL = 1.5

ONE_BUCKET = """
import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

app = cdk.App()
stack = cdk.Stack(app, "Storage")
s3.Bucket(stack, "Bucket")
app.synth()
"""

EMPTY_STACKS = """
import app
import aws_cdk as cdk

empty = cdk.App()
for name in ("Storage", "Training", "Serving", "Api", "Workbench", "Monitoring"):
    cdk.Stack(empty, name)
empty.synth()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Synthesis of the whole app compared with an app with one bucket.")
    parser.add_argument("--runs", type=int, default=9, help="of each app, in alternation (default: 9)")
    runs = parser.parse_args().runs
    print_processor()
    with tempfile.TemporaryDirectory() as folder:
        bucket, empty = Path(folder) / "one_bucket.py", Path(folder) / "empty_stacks.py"
        bucket.write_text(ONE_BUCKET)
        empty.write_text(EMPTY_STACKS)
        apps = {"one bucket": bucket, "empty stacks": empty, "whole app": ROOT / "app.py"}
        for app in apps.values():  # jsii unpacks its libraries once, Python compiles once
            seconds(app, validation=False)
        times: dict[str, list[float]] = {name: [] for name in apps}
        work: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(runs):
            for name, app in apps.items():
                wall, processor = seconds(app, validation=False)
                times[name].append(wall)
                work[name].append(processor)
        default = statistics.median(seconds(bucket, validation=True)[0] for _ in range(max(1, runs // 3)))
    for name in apps:
        wall, processor = statistics.median(times[name]), statistics.median(work[name])
        print(f"{name:13} median {wall:.2f} s, {processor:.2f} s of processor time  ({runs} runs)")
    for name in list(apps)[1:]:
        ratios = [statistics.median(of[name]) / statistics.median(of["one bucket"]) for of in (times, work)]
        print(f"{name}: {ratios[0]:.2f} times one bucket, {ratios[1]:.2f} in processor time  (goal: at most {GOAL})")
    print(f"one bucket with CDK's default validation: {default:.2f} s")


def seconds(app: Path, *, validation: bool) -> tuple[float, float]:
    """Wall and processor seconds of one synthesis."""
    with tempfile.TemporaryDirectory() as out:
        environment = {
            **os.environ,
            "JSII_NODE": str(Path(sys.executable).parent / "node"),
            "PYTHONPATH": str(ROOT),
            "CDK_OUTDIR": out,
            "CDK_CONTEXT_JSON": json.dumps(json.loads((ROOT / "cdk.json").read_text())["context"]),
            "CDK_VALIDATION": str(validation).lower(),
        }
        start, before = time.perf_counter(), _processor_s()
        subprocess.run([sys.executable, str(app)], cwd=ROOT, env=environment, capture_output=True, check=True)
        return time.perf_counter() - start, _processor_s() - before


def _processor_s() -> float:
    """Processor seconds of all ended child processes."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
