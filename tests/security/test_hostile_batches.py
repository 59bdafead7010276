"""Hostile batches take no more memory than the limits of bodies allow, eight at the same time, and keep none of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.photo.limits import PHOTO_BYTES
from inference.server.app import BODIES_BYTES
from tests.builders import any_photo, write_artifact
from tests.contract.server_process import Server, listening
from tests.security.barrage import Body, barrage
from tests.security.batch_attacks import JSON
from tests.security.confinement import memory_cap, resident
from tests.security.forge import Attack
from tests.security.make_attacks import all_attacks

CALLERS = 8
CAP = 512 * 2**20
SLACK = 40 * 2**20
"""Bytes for sockets, the interpreter, and memory that the allocator has not returned."""

GOOD = Body("a good photo", any_photo())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("batches")
    with listening(write_artifact(folder / "model", size=224), folder / "logs") as server:
        server.wait_until_ready()
        with memory_cap(server.child.pid, CAP):
            barrage(server.port, [GOOD] * CALLERS, callers=CALLERS)
            yield server
            assert server.child.exit_code() is None
        assert "Traceback" not in server.log()


@pytest.fixture(scope="module")
def rest(server: Server) -> int:
    """Resident memory of the server, in bytes, before the first attack."""
    return resident(server.child.pid)


@pytest.mark.parametrize(
    "attack", [attack for attack in all_attacks() if attack.content_type == JSON], ids=lambda attack: attack.name
)
def test_eight_batches_at_the_same_time_stay_within_the_memory_limits(
    server: Server, rest: int, attack: Attack
) -> None:
    pid = server.child.pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # reset the peak

    outcome = barrage(server.port, [Body(attack.name, attack.body(), JSON)] * CALLERS, callers=CALLERS)

    added, kept = resident(pid, peak=True) - rest, resident(pid) - rest
    print(f"{attack.name}: {added / 2**20:.0f} MB more at the peak, {kept / 2**20:.0f} MB after it")
    assert outcome.sent == CALLERS
    assert not outcome.unanswered
    assert not outcome.unclear
    assert set(outcome.statuses) <= {*attack.expected, 429}  # 429: what is made of the others leaves no room
    assert added < BODIES_BYTES + PHOTO_BYTES + SLACK
    assert kept < SLACK
    assert barrage(server.port, [GOOD], callers=1).statuses == {200: 1}
