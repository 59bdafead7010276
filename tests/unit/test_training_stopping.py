"""When a signal ends a run: at once, at the end of a step, or at the second Ctrl-C."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.distributed.dogs import settings
from training import train
from training.signals import Stop


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stop = Stop()
    stop.listen()
    yield stop
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_at_once_before_defer(stop: Stop, number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        send(number)
    assert caught.value.args == (number,)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_deferred_signal_ends_the_run_at_its_release(
    stop: Stop, number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    stop.defer()
    assert [stop.requested] == [False]
    send(number)
    assert stop.requested
    assert capfd.readouterr().err == "Stopping at the end of this step.\n"
    with pytest.raises(KeyboardInterrupt) as caught:
        stop.release()
    assert caught.value.args == (number,)


def test_only_a_second_ctrl_c_is_not_deferred(stop: Stop) -> None:
    stop.defer()
    send(signal.SIGTERM)
    send(signal.SIGTERM)
    send(signal.SIGINT)  # one Ctrl-C: SIGTERM from torchrun and SIGINT from the terminal
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)


def test_an_interruptible_block_ends_at_once(stop: Stop) -> None:
    stop.defer()
    with pytest.raises(KeyboardInterrupt), stop.interruptible():
        send(signal.SIGTERM)
    send(signal.SIGTERM)  # during the save
    with pytest.raises(KeyboardInterrupt), stop.interruptible():
        pytest.fail("it should have ended before it began")
    send(signal.SIGTERM)  # during the save: deferred again
    assert stop.requested


def test_without_a_signal_the_number_is_that_of_the_signal_to_another_process() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        Stop().interrupt()
    assert caught.value.args == (signal.SIGTERM,)


@pytest.mark.parametrize(("signalled", "status"), [(True, 128 + signal.SIGTERM), (False, 1)])
def test_a_process_that_loses_its_peer_was_stopped_if_it_received_the_signal_too(
    stop: Stop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signalled: bool, status: int
) -> None:
    """Both processes receive SIGTERM. The faster one leaves while the other one waits for it in a collective."""

    def loses_its_peer(config: object, world: object, stop: Stop, **_: object) -> None:
        stop.defer()
        if signalled:
            send(signal.SIGTERM)
        raise RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:12345")

    monkeypatch.setattr(train, "train", loses_its_peer)
    config = settings(tmp_path)
    monkeypatch.setattr("training.peers.peer_failure", lambda: None)

    assert train.main(config) == status
    assert (tmp_path / "output" / "failure").exists() is not signalled
