"""Hostile bytes by the thousand against the server: what it answers, how long the worst one takes, and what it holds.

    make bench-hostile
    make bench-hostile ARGS="--mutations 100000 --model-dir build/rehearsal/job/model"

The server runs under a cap of 512 MB (a cgroup where that is allowed, else RLIMIT_DATA). First each attack of
tests/security/attacks comes by itself, and the time that counts is its caller's; then the same attacks and the mutated
photos come from several callers at once, which is when memory adds up. Beside the times stands what Pillow takes for
the same bytes where nothing is kept from it, up to a limit.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from tests.builders import any_photo, write_artifact
from tests.contract.server_process import listening
from tests.security.barrage import Body, Outcome, barrage
from tests.security.confinement import memory_cap, resident
from tests.security.make_attacks import all_attacks
from tests.security.mutations import mutations

CAP, MOST_RESIDENT, MOST_SECONDS = 512 * 2**20, 300, 1.0
LAB = Path("build/lab/model")
"""Where `make bench-serving` leaves a trained ResNet50."""

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
    parser.add_argument("--callers", type=int, default=8, help="at once (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed mutates alike (default: %(default)s)")
    parser.add_argument(
        "--model-dir", type=Path, help=f"the artifact (default: {LAB} where it is, else a tiny network)"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model = arguments.model_dir or (LAB if LAB.is_dir() else write_artifact(Path(scratch) / "model", size=224))
        missed = bombard(model, Path(scratch), arguments.mutations, arguments.callers, arguments.seed)
    sys.exit(1 if missed else 0)


def bombard(model: Path, scratch: Path, count: int, callers: int, seed: int) -> list[str]:
    """Print the figures and return the goals that were missed."""
    attacks = [Body(attack.name, attack.body(), attack.content_type) for attack in all_attacks()]
    with listening(model, scratch / "logs") as server:
        server.wait_until_ready()
        pid = server.child.pid
        with memory_cap(pid, CAP) as means:
            print(f"{len(attacks)} attacks and {count} mutated photos, model {model}, capped by {means} at 512 MB")
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
    _table("slowest by themselves", sorted(alone, key=lambda entry: -entry[0].slowest_s)[:8], pillows)
    _table("slowest for Pillow alone", sorted(alone, key=lambda entry: -pillows[entry[2].name][0])[:12], pillows)
    statuses = sum((outcome.statuses for outcome in [*one_by_one, together]), Counter[int]())
    print(f"\nanswers: {dict(sorted(statuses.items()))}")
    unanswered = [name for outcome in [*one_by_one, together] for name in outcome.unanswered + outcome.unclear]
    for name in unanswered[:5]:
        print(f"  {name}")
    goals = {
        "uncaught": (uncaught, 0),
        "answers of 5xx": (_faults([*one_by_one, together]), 0),
        "unanswered, or without a sentence": (len(unanswered), 0),
        f"MB resident at the peak (idle: {idle / 2**20:.0f})": (round(peak / 2**20), MOST_RESIDENT),
        "seconds, the slowest by itself": (round(max(o.slowest_s for o in one_by_one), 3), MOST_SECONDS),
        "good photos not answered by the same process": (int(not alive or good.statuses != {200: 1}), 0),
    }
    print("\n| goal | found | at most |\n|---|--:|--:|")
    for name, (found, most) in goals.items():
        print(f"| {name} | {found} | {most} |")
    print(f"\nslowest of {callers} callers at once, {together.slowest}: {together.slowest_s:.3f} s")
    return [name for name, (found, most) in goals.items() if found > most]


def _faults(outcomes: list[Outcome]) -> int:
    return sum(outcome.faults for outcome in outcomes)


def _alone(port: int, pid: int, body: Body) -> tuple[Outcome, float, Body]:
    """What became of it, and the seconds of the processor that the server spent on it (in steps of 0.01)."""
    before = _processor_s(pid)
    outcome = barrage(port, [body], callers=1)
    return outcome, _processor_s(pid) - before, body


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pillow(content: bytes) -> tuple[float, str]:
    """Pillow's own open and convert, as most services call it, with its usual limits: seconds, and how it ended."""
    ran = subprocess.run([sys.executable, "-c", PILLOW], input=content, capture_output=True, check=False)
    if ran.returncode:
        return PILLOW_LIMIT_S, " (and more)"
    seconds, _, ended = ran.stdout.decode().strip().partition(" ")
    return float(seconds), f" ({ended})" if ended else ""


def _table(title: str, entries: list[tuple[Outcome, float, Body]], pillows: dict[str, tuple[float, str]]) -> None:
    print(f"\n| {title} | ms | of the processor | Pillow alone, of the processor |\n|---|--:|--:|--:|")
    for outcome, processor_s, body in entries:
        seconds, ended = pillows[body.name]
        print(
            f"| {body.name} | {outcome.slowest_s * 1000:.0f} | {processor_s * 1000:.0f} | {seconds * 1000:.0f}{ended} |"
        )


def _progress(count: int) -> Callable[[int], None]:
    step = max(count // 10, 1)

    def report(done: int) -> None:
        if done % step == 0 and sys.stderr.isatty():
            print(f"\r{done} answered", end="", file=sys.stderr, flush=True)

    return report


if __name__ == "__main__":
    main()
