"""No request body ends the server, causes a 5xx, or makes it use more memory than its limits allow."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.hostile import bombard
from inference.photo.limits import PHOTO_BYTES
from inference.server.app import BODIES_BYTES
from tests.builders import any_photo, write_artifact
from tests.contract.server_process import Server, listening
from tests.patience import PATIENCE_S
from tests.security.barrage import Body, Caller, barrage, fault_of
from tests.security.confinement import memory_cap, resident
from tests.security.forge import FOLDER, Attack
from tests.security.make_attacks import all_attacks
from tests.security.mutations import mutations

CAP = 512 * 2**20
SLACK = 40 * 2**20
"""Bytes for sockets, the interpreter, and memory that the allocator has not returned."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    with listening(write_artifact(folder / "model", size=224), folder / "logs") as server:
        server.wait_until_ready()
        with memory_cap(server.child.pid, CAP):
            yield server
            assert server.child.exit_code() is None
        assert "Traceback" not in server.log()


@pytest.fixture(scope="module")
def caller(server: Server) -> Iterator[Caller]:
    caller = Caller(server.port)
    yield caller
    caller.close()


def assert_still_answers(server: Server, caller: Caller, pid: int) -> None:
    assert caller.send(Body("a good photo", any_photo()))[0] == 200
    assert server.child.pid == pid
    assert server.child.exit_code() is None


@pytest.mark.parametrize("attack", all_attacks(), ids=lambda attack: attack.name)
def test_attack(server: Server, caller: Caller, attack: Attack) -> None:
    pid = server.child.pid

    status, answer = caller.send(Body(attack.name, attack.body(), attack.content_type))

    assert status in attack.expected
    assert fault_of(status, answer) is None
    assert not Path("sprung-by-a-pickle").exists()
    assert_still_answers(server, caller, pid)


def test_each_attack_has_a_file_and_each_file_is_an_attack() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {attack.path.name for attack in all_attacks()}
    assert len(all_attacks()) >= 60
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000


def test_mutated_photos_are_answered_or_refused(server: Server, caller: Caller) -> None:
    pid, bodies = server.child.pid, (Body(str(number), photo) for number, photo in enumerate(mutations(1000)))

    outcome = barrage(server.port, bodies, callers=4)

    print(f"1000 mutated photos: {dict(outcome.statuses)}, slowest {outcome.slowest_s:.3f} s")
    assert outcome.sent == 1000
    assert not outcome.unanswered
    assert not outcome.unclear
    assert set(outcome.statuses) <= {200, 400, 413, 415, 422}
    assert min(outcome.statuses[200], outcome.statuses[422]) > 100
    assert_still_answers(server, caller, pid)


def test_the_largest_photos_at_the_same_time_stay_within_the_memory_limits(server: Server, caller: Caller) -> None:
    pid = server.child.pid
    caller.send(Body("a good photo", any_photo()))
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # reset the peak
    before = resident(pid)
    largest = [attack for attack in all_attacks() if "largest" in attack.name and attack.expected == (200,)]
    bodies = [Body(attack.name, attack.body().ljust(5_000_000, b"\0")) for attack in largest for _ in range(4)]

    outcome = barrage(server.port, bodies, callers=8)

    taken = resident(pid, peak=True) - before
    print(f"{len(bodies)} largest photos from 8 callers: {taken / 2**20:.0f} MB more at the peak")
    assert outcome.statuses == {200: len(bodies)}
    assert taken < PHOTO_BYTES + BODIES_BYTES + SLACK
    assert_still_answers(server, caller, pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a cgroup here")
def test_the_memory_cap_ends_a_process_that_takes_more(tmp_path: Path) -> None:
    """The control for the other tests: the cap really limits."""
    hungry = "input(); print(len(bytearray(600 * 2**20)), flush=True)"
    process = subprocess.Popen(
        [sys.executable, "-c", hungry], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with memory_cap(process.pid, CAP):
        output, _ = process.communicate(b"\n", timeout=PATIENCE_S)
    assert output == b""
    assert process.returncode in (-signal.SIGKILL, 1)


@pytest.mark.slow
def test_twenty_thousand_mutated_photos(tmp_path: Path) -> None:
    """The same as `make bench-hostile`. Only the benchmark checks how fast it was."""
    missed = bombard(write_artifact(tmp_path / "model", size=224), tmp_path, 20_000, callers=8, seed=1)
    assert [goal for goal in missed if "seconds" not in goal] == []
