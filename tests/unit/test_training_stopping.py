"""When a signal ends a run: at once, at the end of a step, or at the second Ctrl-C."""

import os
import signal
from collections.abc import Iterator

import pytest

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
