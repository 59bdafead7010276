"""Thousands of hostile requests against the server: its responses, the slowest request, and its memory.

    make bench-hostile
    make bench-hostile ARGS="--mutations 100000 --model-dir build/rehearsal/job/model"

The server runs under a memory limit of 512 MB (a cgroup if the system allows one, else RLIMIT_DATA). First each attack
of tests/security/attacks is sent alone, and the caller's time counts. Then several callers send the same attacks and
the mutated photos at the same time, so that memory use adds up. The table also has Pillow's own time for the same
bytes, without Kennel's checks, up to a limit. At the end, benchmarks/hostile_batches.py measures what each hostile
batch costs, and benchmarks/hostile_connections.py how long /ping takes under each attack on connections.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from benchmarks.hostile_batches import attack_with_batches
from benchmarks.hostile_connections import attack_with_connections
from benchmarks.processor import print_processor, processor_s
from benchmarks.serving_inputs import KEPT
from tests.builders import any_photo, write_artifact
from tests.contract.server_process import listening
from tests.security.barrage import Body, Outcome, barrage
from tests.security.confinement import memory_cap, resident
from tests.security.make_attacks import all_attacks
from tests.security.mutations import mutations

CAP, MOST_RESIDENT, MOST_SECONDS = 512 * 2**20, 300, 1.0
TRAINED = KEPT / "model-drawn"
"""The ResNet50 that `make bench-serving` trains on drawn photos and keeps."""

PILLOW_LIMIT_S = 10
PILLOW = f"""
import io, resource, sys, time
from PIL import Image
resource.setrlimit(resource.RLIMIT_CPU, ({PILLOW_LIMIT_S}, {PILLOW_LIMIT_S}))
content, ended = sys.stdin.buffer.read(), ""
started = time.process_time()
try:
    Image.open(io.BytesIO(content)).convert("RGB")
except Exception as error:
    ended = type(error).__name__
print(time.process_time() - started, ended)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Hostile bytes against the server.")
    parser.add_argument("--mutations", type=int, default=20_000, help="mutated photos (default: %(default)s)")
    parser.add_argument("--callers", type=int, default=8, help="simultaneous callers (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed makes the same mutations (default: %(default)s)"
    )
    parser.add_argument(
        "--model-dir", type=Path, help=f"the artifact (default: {TRAINED} if it exists, else a tiny network)"
    )
    arguments = parser.parse_args()
    print_processor()
    with tempfile.TemporaryDirectory() as scratch:
        model = arguments.model_dir or (
            TRAINED if TRAINED.is_dir() else write_artifact(Path(scratch) / "model", size=224)
        )
        missed = bombard(model, Path(scratch), arguments.mutations, arguments.callers, arguments.seed)
        missed += attack_with_batches(model, Path(scratch))
        missed += attack_with_connections(model, Path(scratch))
    sys.exit(1 if missed else 0)


def bombard(model: Path, scratch: Path, count: int, callers: int, seed: int) -> list[str]:
    """Print the figures. Returns the goals that were missed."""
    attacks = [Body(attack.name, attack.body(), attack.content_type) for attack in all_attacks()]
    with listening(model, scratch / "logs") as server:
        server.wait_until_ready()
        pid = server.child.pid
        with memory_cap(pid, CAP) as means:
            print(f"{len(attacks)} attacks and {count} mutated photos, model {model}, limited by {means} to 512 MB")
            idle = resident(pid)
            alone = [_alone(server.port, pid, body) for body in attacks]
            mutated = (Body(f"mutation {number}", photo) for number, photo in enumerate(mutations(count, seed)))
            together = barrage(
                server.port, chain(attacks, mutated, attacks), callers=callers, progress=_progress(count)
            )
            good = barrage(server.port, [Body("a good photo", any_photo())], callers=1)
            peak, alive = resident(pid, peak=True), server.child.exit_code() is None
        uncaught = server.log().count("Traceback") + len(server.events("failed"))
    one_by_one = [outcome for outcome, _, _ in alone]
    pillows = {body.name: _pillow(body.content) for body in attacks}
    _table("slowest, sent alone", sorted(alone, key=lambda entry: -entry[0].slowest_s)[:8], pillows)
    _table(
        "slowest for Pillow without the server",
        sorted(alone, key=lambda entry: -pillows[entry[2].name][0])[:12],
        pillows,
    )
    statuses = sum((outcome.statuses for outcome in [*one_by_one, together]), Counter[int]())
    print(f"\nresponses: {dict(sorted(statuses.items()))}")
    unanswered = [name for outcome in [*one_by_one, together] for name in outcome.unanswered + outcome.unclear]
    for name in unanswered[:5]:
        print(f"  {name}")
    goals = {
        "uncaught exceptions": (uncaught, 0),
        "5xx responses": (_faults([*one_by_one, together]), 0),
        "no response, or no error message": (len(unanswered), 0),
        f"MB resident at the peak (idle: {idle / 2**20:.0f})": (round(peak / 2**20), MOST_RESIDENT),
        "seconds of the slowest request sent alone": (round(max(o.slowest_s for o in one_by_one), 3), MOST_SECONDS),
        "valid photos that the same process does not answer afterwards": (
            int(not alive or good.statuses != {200: 1}),
            0,
        ),
    }
    print("\n| goal | found | at most |\n|---|--:|--:|")
    for name, (found, most) in goals.items():
        print(f"| {name} | {found} | {most} |")
    print(f"\nslowest with {callers} simultaneous callers, {together.slowest}: {together.slowest_s:.3f} s")
    return [name for name, (found, most) in goals.items() if found > most]


def _faults(outcomes: list[Outcome]) -> int:
    return sum(outcome.faults for outcome in outcomes)


def _alone(port: int, pid: int, body: Body) -> tuple[Outcome, float, Body]:
    """The outcome, and the server's processor time for this request in seconds (resolution 0.01)."""
    before = processor_s(pid)
    outcome = barrage(port, [body], callers=1)
    return outcome, processor_s(pid) - before, body


def _pillow(content: bytes) -> tuple[float, str]:
    """Pillow's own open and convert, as most services call it, with its default limits: seconds, and how it ended."""
    ran = subprocess.run([sys.executable, "-c", PILLOW], input=content, capture_output=True, check=False)
    if ran.returncode:
        return PILLOW_LIMIT_S, " (time limit)"
    seconds, _, ended = ran.stdout.decode().strip().partition(" ")
    return float(seconds), f" ({ended})" if ended else ""


def _table(title: str, entries: list[tuple[Outcome, float, Body]], pillows: dict[str, tuple[float, str]]) -> None:
    print(f"\n| {title} | ms | processor ms | Pillow alone, processor ms |\n|---|--:|--:|--:|")
    for outcome, taken_s, body in entries:
        seconds, ended = pillows[body.name]
        print(f"| {body.name} | {outcome.slowest_s * 1000:.0f} | {taken_s * 1000:.0f} | {seconds * 1000:.0f}{ended} |")


def _progress(count: int) -> Callable[[int], None]:
    step = max(count // 10, 1)

    def report(done: int) -> None:
        if done % step == 0 and sys.stderr.isatty():
            print(f"\r{done} responses", end="", file=sys.stderr, flush=True)

    return report


if __name__ == "__main__":
    main()
