"""Results computed ahead come in order, are limited in number, and raise where they are used."""

import threading

import pytest
import torch

from tests.patience import PATIENCE_S
from training.data.threads import ahead, one_thread_each


def test_results_come_in_the_order_of_the_items_whichever_is_finished_first() -> None:
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert first_may_end.wait(PATIENCE_S)
        if item == 1:
            first_may_end.set()
        return item * 10

    assert list(ahead(work, range(20), workers=2)) == [item * 10 for item in range(20)]


def test_at_most_two_items_per_worker_are_started_ahead() -> None:
    begun: list[int] = []
    results = ahead(lambda item: begun.append(item), range(1000), workers=2)
    for taken in range(1, 50):
        next(results)
        assert len(begun) <= taken + 2 * 2


def test_an_error_is_raised_where_its_result_is_used() -> None:
    results = ahead(lambda item: 1 // item, [2, 1, 0, 1], workers=1)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_the_number_of_threads_is_one_inside_and_restored_after_an_error() -> None:
    before = torch.get_num_threads()
    within = []

    def fail() -> None:
        with one_thread_each():
            within.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (within, torch.get_num_threads()) == ([1], before)
