"""What a hostile batch costs the server: memory for one and for eight at the same time, and how long /ping waits.

    python -m benchmarks.hostile_batches

`make bench-hostile` runs it too. Each batch of tests/security/batch_attacks.py gets two servers of its own. The first
has no memory limit, so that its peak can be measured. The second has the 512 MB of `make bench-hostile`, and must still
answer after eight of them have come at the same time. Memory is what the request adds to the server at rest.
"""

import contextlib
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processor import print_processor
from tests.builders import any_photo, write_artifact
from tests.contract.server_process import Server, listening
from tests.patience import PATIENCE_S
from tests.security.barrage import Body, barrage
from tests.security.batch_attacks import JSON
from tests.security.confinement import memory_cap, resident
from tests.security.make_attacks import all_attacks

CALLERS = 8
CAP = 512 * 2**20
MOST_ADDED, MOST_KEPT, MOST_PING_S = 100, 40, 2.0


@dataclass
class Cost:
    """What one attack did. Memory in MB above the server at rest, time in seconds."""

    one: float
    eight: float
    kept: float
    ping_s: float
    statuses: Counter[int]
    survived: bool


def main() -> None:
    print_processor()
    with tempfile.TemporaryDirectory() as scratch:
        missed = attack_with_batches(write_artifact(Path(scratch) / "model", size=224), Path(scratch))
    sys.exit(1 if missed else 0)


def attack_with_batches(model: Path, scratch: Path) -> list[str]:
    """Print the cost of each batch. Returns the goals that were missed."""
    bodies = [Body(attack.name, attack.body(), JSON) for attack in all_attacks() if attack.content_type == JSON]
    costs = {body.name: cost_of(body, model, scratch / body.name) for body in bodies}
    print(f"\n| batch | MB added by 1 | by {CALLERS} | kept after | longest /ping, s | responses | survives 512 MB |")
    print("|---|--:|--:|--:|--:|---|---|")
    for name, cost in sorted(costs.items(), key=lambda entry: -entry[1].eight):
        responses = ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(cost.statuses.items()))
        print(
            f"| {name} | {cost.one:.0f} | {cost.eight:.0f} | {cost.kept:.0f} | {cost.ping_s:.2f} | {responses} "
            f"| {'yes' if cost.survived else 'no'} |"
        )
    goals = {
        f"MB added by {CALLERS} batches at the same time": (max(cost.eight for cost in costs.values()), MOST_ADDED),
        "MB kept after them": (max(cost.kept for cost in costs.values()), MOST_KEPT),
        "seconds that /ping waits": (max(cost.ping_s for cost in costs.values()), MOST_PING_S),
        "5xx responses": (sum(n for cost in costs.values() for status, n in cost.statuses.items() if status >= 500), 0),
        "batches that end a server of 512 MB": (sum(not cost.survived for cost in costs.values()), 0),
    }
    print("\n| goal | found | at most |\n|---|--:|--:|")
    for goal, (found, most) in goals.items():
        print(f"| {goal} | {found:.3g} | {most} |")
    return [goal for goal, (found, most) in goals.items() if found > most]


def cost_of(body: Body, model: Path, logs: Path) -> Cost:
    """The cost of this batch for new servers of this model."""
    good = Body("a good photo", any_photo())
    with _ready(model, logs / "measured") as server:
        pid = server.child.pid
        barrage(server.port, [good] * CALLERS, callers=CALLERS)
        rest = resident(pid)
        barrage(server.port, [body], callers=1)
        one = resident(pid, peak=True) - rest
        with pings(server.port) as waits:
            outcome = barrage(server.port, [body] * CALLERS, callers=CALLERS)
        eight, kept = resident(pid, peak=True) - rest, resident(pid) - rest
    statuses = outcome.statuses + Counter({0: len(outcome.unanswered)})
    with _ready(model, logs / "limited") as server, memory_cap(server.child.pid, CAP):
        barrage(server.port, [body] * CALLERS, callers=CALLERS)
        survived = server.child.exit_code() is None and barrage(server.port, [good], callers=1).statuses == {200: 1}
    return Cost(one / 2**20, eight / 2**20, kept / 2**20, max(waits), statuses, survived)


@contextlib.contextmanager
def _ready(model: Path, logs: Path) -> Iterator[Server]:
    with listening(model, logs) as server:
        server.wait_until_ready()
        yield server


@contextlib.contextmanager
def pings(port: int) -> Iterator[list[float]]:
    """The seconds that each GET /ping took, on a new connection each, one after the other during the block.

    The first is complete before the block starts, and the one that is under way at its end is waited for.
    """
    waits: list[float] = []
    ended = threading.Event()

    def ping() -> None:
        started = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=PATIENCE_S) as answer:
            answer.read()
        waits.append(time.perf_counter() - started)

    def repeat() -> None:
        while not ended.is_set():
            ping()

    ping()
    pinger = threading.Thread(target=repeat)
    pinger.start()
    try:
        yield waits
    finally:
        ended.set()
        pinger.join()


if __name__ == "__main__":
    main()
