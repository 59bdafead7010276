"""When a signal ends a run: at once, at the end of a step, or on the second Ctrl-C."""

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
def test_it_comes_at_once_where_nothing_would_be_lost(stop: Stop, number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        send(number)
    assert caught.value.args == (number,)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_waits_where_it_is_deferred(stop: Stop, number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    stop.defer()
    assert [stop.requested] == [False]
    send(number)
    assert stop.requested
    assert capfd.readouterr().err == "Stopping at the end of this step.\n"
    with pytest.raises(KeyboardInterrupt) as caught:
        stop.obey()
    assert caught.value.args == (number,)


def test_only_a_second_ctrl_c_does_not_wait(stop: Stop) -> None:
    stop.defer()
    send(signal.SIGTERM)
    send(signal.SIGTERM)
    send(signal.SIGINT)  # torchrun and the terminal, both told of one Ctrl-C
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)


def test_a_stretch_may_be_ended_at_any_moment(stop: Stop) -> None:
    stop.defer()
    with pytest.raises(KeyboardInterrupt), stop.at_once():
        send(signal.SIGTERM)
    send(signal.SIGTERM)  # while what was learnt is saved
    with pytest.raises(KeyboardInterrupt), stop.at_once():
        pytest.fail("it should have ended before it began")
    send(signal.SIGTERM)  # while what was learnt is saved: it waits again
    assert stop.requested


def test_without_a_signal_of_its_own_it_is_another_process_that_was_stopped() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        Stop().now()
    assert caught.value.args == (signal.SIGTERM,)
