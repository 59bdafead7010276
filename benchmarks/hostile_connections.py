"""How long /ping takes while callers keep the event loop busy or hold connections. Part of `make bench-hostile`."""

from pathlib import Path

from benchmarks.processor import processor_s
from tests.security.connection_attacks import (
    ATTACKS,
    PING_LIMIT_S,
    during,
    limited_server,
    slowest_ping_s,
    under_attack,
)

ATTACK_S = 4


def attack_with_connections(model: Path, scratch: Path) -> list[str]:
    """Print a table. Returns the attacks during which /ping took longer than SageMaker's limit."""
    print(
        f"\n| attack | connections | slowest /ping of {ATTACK_S} s, s | processor s of the server |\n|---|--:|--:|--:|"
    )
    missed = []
    for attack in ATTACKS:
        with limited_server(model, scratch / "connections") as server, under_attack(server, attack):
            before = processor_s(server.child.pid)
            try:
                slowest = slowest_ping_s(server, during(ATTACK_S))
            except OSError as error:  # the server has closed the connection
                slowest = float("inf")
                print(f"{attack.name}: {error}")
            taken = processor_s(server.child.pid) - before
        print(f"| {attack.name} | {attack.connections} | {slowest:.3f} | {taken:.2f} |", flush=True)
        if slowest > PING_LIMIT_S:
            missed.append(attack.name)
    return missed
