"""Part of `make bench-lambda`: photos of 1 MB eight at a time, one fault in a hundred, and the memory that grows."""

import json
import random
from collections import Counter
from pathlib import Path

from benchmarks.function_environments import Functions, drive, memory_mb, pid
from benchmarks.function_time import EVENTS
from benchmarks.goals import goal
from tests.faults.fault_kinds import all_kinds
from tests.faults.fault_server import Fault, FaultServer, answers

AT_A_TIME = 8
FAULTS = 0.01


def sometimes(share: float, *faults: Fault, seed: int = 1) -> Fault:
    """One of the faults for this share of the requests, at random, and an answer for all others."""
    random_numbers = random.Random(seed)
    return lambda handler: (random_numbers.choice(faults) if random_numbers.random() < share else answers)(handler)


def measure_load(functions: Functions, server: FaultServer, calls: int) -> None:
    """Print what callers got, and how the memory and the open files of the environments grew."""
    kinds = [kind for kind in all_kinds(server) if not kind.hangs]
    expected = {200, *(kind.status for kind in kinds)}
    payload = json.dumps(EVENTS["in a direct event"]).encode()
    server.play(sometimes(FAULTS, *(kind.fault for kind in kinds)))
    with functions.several(AT_A_TIME, server.url) as environments:
        results = drive(environments, payload, calls // 10)
        warm, files = [memory_mb(each) for each in environments], [open_files(pid(each)) for each in environments]
        results += drive(environments, payload, calls - calls // 10)
        growth = [memory_mb(each) - before for each, before in zip(environments, warm, strict=True)]
        more_files = [open_files(pid(each)) - before for each, before in zip(environments, files, strict=True)]
        bugs = sum(each.log.count('"bug"') for each in environments)
    print(f"statuses {dict(Counter(each.status for each in results))}, {server.calls} requests to the endpoint")
    goal(
        "unhandled: no response, an unexpected status, or a bug",
        sum(each.status not in expected for each in results) + bugs,
        at_most=0,
    )
    goal("responses with something internal", sum(bool(each.leaks) for each in results), at_most=0)
    print(f"all {AT_A_TIME} environments together grew by {sum(growth):.1f} MB")
    goal(f"memory growth of one environment above {sum(warm) / len(warm):.0f} MB, at most, MB", max(growth), at_most=10)
    goal("more open files", max(more_files), at_most=1)  # the kept connection


def open_files(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
