"""Part of `make bench-lambda`: every kind of fault of the runtime API, many times, and throttles at random."""

import json
from collections import Counter

from benchmarks.function_environments import Functions, drive
from benchmarks.function_load import AT_A_TIME, sometimes
from benchmarks.goals import goal
from rehearsal.processes import free_port
from tests.faults.fault_kinds import Kind, all_kinds
from tests.faults.fault_server import FaultServer, answers, error
from tests.rehearsal.container import any_event

TIMEOUT_S = 29
SHORT_TIMEOUT_S = 2.5
"""Of the function while a fault lasts until its deadline."""
THROTTLED = 0.3
EVENT = json.dumps(any_event()).encode()


def measure_kinds(functions: Functions, server: FaultServer, calls: int) -> None:
    """Print, for each kind of fault, what callers got and the slowest of them."""
    wrong = leaks = late = 0
    unreachable = Kind("endpoint does not listen", answers, 503, "unreachable")
    without_tls = Kind("endpoint has no TLS", answers, 503, "unreachable")
    kinds = all_kinds(server)
    groups = [
        (server.url, TIMEOUT_S, [kind for kind in kinds if not kind.hangs]),
        (server.url, SHORT_TIMEOUT_S, [kind for kind in kinds if kind.hangs]),
        (f"http://127.0.0.1:{free_port()}", TIMEOUT_S, [unreachable]),
        (server.url.replace("http:", "https:"), TIMEOUT_S, [without_tls]),
    ]
    for url, timeout_s, group in groups:
        with functions.several(AT_A_TIME, url, timeout_s=timeout_s) as environments:
            for kind in group:
                server.play(kind.fault)
                results = drive(environments, EVENT, calls)
                slowest = max(each.seconds for each in results)
                found = Counter((each.status, each.code) for each in results)
                print(f"{kind.name:36} {dict(found)}, slowest {slowest:.2f} s", flush=True)
                wrong += sum((each.status, each.code) != (kind.status, kind.code) for each in results)
                leaks += sum(bool(each.leaks) for each in results)
                late += sum(each.seconds > timeout_s for each in results)
    goal("kinds of fault", sum(len(group) for *_, group in groups), at_least=14)
    goal("responses with another status or code than documented", wrong, at_most=0)
    goal("responses with something internal", leaks, at_most=0)
    goal("responses after the function's timeout", late, at_most=0)


def measure_throttling(functions: Functions, server: FaultServer, calls: int) -> None:
    """Print the share of calls that succeed while SageMaker throttles, and the requests that it gets for them."""
    for share in (THROTTLED, 1.0):
        server.play(sometimes(share, error(400, "ThrottlingException")))
        count = calls if share < 1 else calls // 10
        with functions.several(AT_A_TIME, server.url) as environments:
            results = drive(environments, EVENT, count)
        print(
            f"{share:.0%} throttled: {server.calls / count:.2f} requests a call, "
            f"slowest {max(each.seconds for each in results):.1f} s"
        )
        if share < 1:
            succeeded = sum(each.status == 200 for each in results) / count
            goal(f"share that succeeds while {share:.0%} of all requests are throttled", succeeded, at_least=0.99)
        else:
            more = (server.calls - 2 * count) / AT_A_TIME
            goal("requests above two a call while all are throttled, for each environment", more, at_most=10)
        late = sum(each.seconds > TIMEOUT_S for each in results)
        goal("responses after the function's timeout", late, at_most=0)
