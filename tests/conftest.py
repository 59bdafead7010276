"""Options of every test run, and what of its surroundings tests depend on."""

import os
import signal

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/infra/golden/ from today's templates")


def pytest_configure() -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # several hosts are played on this one; they cannot share its GPU
    # A shell starts a background job with SIGINT ignored, and every child inherits that: Ctrl-C could not be tested.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
