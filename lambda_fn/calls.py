"""Calls to AWS within a request's deadline: two clients, and the retries of their calls."""

import gc
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from lambda_fn.bounded import DeadlineError, TooManyBytesError, bounded
from lambda_fn.deadline import Deadline
from lambda_fn.errors import TIMED_OUT, Fault, ServiceError
from lambda_fn.request_log import RequestLog
from lambda_fn.retries import LEAST_CALL_S, Retries, RetryBudget

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

T = TypeVar("T")

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 60.0
"""Of one operation on the socket, and SageMaker's limit for a response. The limit of a call is its deadline."""

TIMEOUTS = (ConnectTimeoutError, ReadTimeoutError, DeadlineError)
CONNECTION_FAULTS = (BotoConnectionError, HTTPClientError, IncompleteReadError, ResponseStreamingError)
"""Refused, reset or cut short. TIMEOUTS are subclasses: check for them first."""

BUDGET = RetryBudget()
"""Of this execution environment, for both services."""


@cache
def sagemaker_runtime() -> "SageMakerRuntimeClient":
    return cast("SageMakerRuntimeClient", _session().create_client("sagemaker-runtime", config=_config()))


@cache
def s3() -> "S3Client":
    return cast("S3Client", _session().create_client("s3", config=_config()))


@cache
def _session() -> botocore.session.Session:
    """botocore's. boto3 adds transfers of files to the same clients, and their import takes a quarter of the init."""
    return botocore.session.get_session()


def warm_up(*, with_s3: bool) -> None:
    """Create the clients. A service's first client takes 0.05 s, to read botocore's model of the service.

    Nothing that this creates is garbage, and searching it for garbage takes up to 0.05 s: here, and again during the
    requests. So it is not searched at all.
    """
    gc.disable()
    try:
        sagemaker_runtime()
        if with_s3:
            s3()
        gc.freeze()
    finally:
        gc.enable()


def _config() -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        # `within` alone retries: botocore's retries would multiply with its own, and do not know the deadline
        retries={"mode": "standard", "total_max_attempts": 1},
    )


def within(
    deadline: Deadline,
    log: RequestLog,
    call: Callable[[], T],
    fault_of: Callable[[Exception], Fault],
    *,
    max_bytes: int,
) -> T:
    """The result of `call()`, which makes one call and reads at most `max_bytes` of its response.

    A fault is retried as retries.py says, if there is time for the wait that the fault advises and for the call after.
    Raises ServiceError with the fault that `fault_of` returns for the exception, no later than the deadline.
    """
    if deadline.left_s() < LEAST_CALL_S:
        raise ServiceError(TIMED_OUT)
    retries = Retries(BUDGET)
    while True:
        log.attempts += 1
        try:
            result = bounded(call, seconds=deadline.left_s(), max_bytes=max_bytes)
        except (BotoCoreError, ClientError, DeadlineError, TooManyBytesError) as error:
            fault = fault_of(error)
            log.note_cause(error)
            pause_s = retries.pause_s(fault, left_s=deadline.left_s())
            if pause_s is None:
                raise ServiceError(fault) from error
        else:
            BUDGET.earn()
            return result
        time.sleep(pause_s)
