"""Work done ahead comes in order, is bounded, and fails where it is taken."""

import threading

import pytest
import torch

from tests.patience import PATIENCE_S
from training.data.threads import ahead, one_thread_each


def test_results_come_in_the_order_of_the_items_whichever_is_done_first() -> None:
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert first_may_end.wait(PATIENCE_S)
        if item == 1:
            first_may_end.set()
        return item * 10

    assert list(ahead(work, range(20), workers=2)) == [item * 10 for item in range(20)]


def test_no_more_is_begun_than_two_items_a_worker_ahead() -> None:
    begun: list[int] = []
    results = ahead(lambda item: begun.append(item), range(1000), workers=2)
    for taken in range(1, 50):
        next(results)
        assert len(begun) <= taken + 2 * 2


def test_a_failure_is_raised_where_its_result_is_taken() -> None:
    results = ahead(lambda item: 1 // item, [2, 1, 0, 1], workers=1)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_layer_within_has_one_thread_and_the_threads_come_back_after_a_failure() -> None:
    before = torch.get_num_threads()
    within = []

    def fail() -> None:
        with one_thread_each():
            within.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (within, torch.get_num_threads()) == ([1], before)
