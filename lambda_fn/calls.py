"""Calls to AWS within a deadline: clients with short timeouts, and a limited number of retries."""

import random
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from lambda_fn.deadline import Deadline
from lambda_fn.errors import TIMED_OUT, Fault, ServiceError
from lambda_fn.request_log import RequestLog

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

T = TypeVar("T")

READ_TIMEOUTS_S = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0)
"""A client's timeouts are fixed when it is created, so each of these has a client, created at its first use."""
CONNECT_TIMEOUT_S = 2.0
USUAL_READ_TIMEOUT_S = 25.0
"""The timeout of most calls behind API Gateway. Its client is created before the first call."""

TIMEOUTS = (ConnectTimeoutError, ReadTimeoutError)
CONNECTION_FAULTS = (BotoConnectionError, HTTPClientError, IncompleteReadError)
"""Refused, reset or cut short. TIMEOUTS are subclasses: check for them first."""

MAX_ATTEMPTS = 5
FIRST_PAUSE_S = 0.1


@cache
def sagemaker_runtime(read_timeout_s: float) -> "SageMakerRuntimeClient":
    return boto3.client("sagemaker-runtime", config=_config(read_timeout_s))


@cache
def s3(read_timeout_s: float) -> "S3Client":
    return boto3.client("s3", config=_config(read_timeout_s))


def warm_up(*, with_s3: bool) -> None:
    """Create the usual clients. A service's first client takes 0.1 s, to read botocore's model of the service."""
    sagemaker_runtime(USUAL_READ_TIMEOUT_S)
    if with_s3:
        s3(USUAL_READ_TIMEOUT_S)


def _config(read_timeout_s: float) -> Config:
    return Config(
        connect_timeout=_connect_timeout_s(read_timeout_s),
        read_timeout=read_timeout_s,
        # botocore would wait three times for an endpoint that hangs; `within` retries only what can succeed
        retries={"mode": "standard", "total_max_attempts": 1},
    )


def _connect_timeout_s(read_timeout_s: float) -> float:
    return min(CONNECT_TIMEOUT_S, read_timeout_s / 2)


def read_timeout_s(deadline: Deadline) -> float:
    """The longest timeout with which a call ends before the deadline. Raises ServiceError if none is short enough."""
    left_s = deadline.left_s()
    fitting = [limit for limit in READ_TIMEOUTS_S if limit + _connect_timeout_s(limit) <= left_s]
    if not fitting:
        raise ServiceError(TIMED_OUT)
    return fitting[-1]


def within(
    deadline: Deadline, log: RequestLog, call: Callable[[float], T], fault_of: Callable[[Exception], Fault]
) -> T:
    """The result of `call(read_timeout_s)`. Retryable faults are retried until the deadline.

    Raises ServiceError with the fault that `fault_of` returns for botocore's exception.
    """
    pause_s = FIRST_PAUSE_S
    limit_s = read_timeout_s(deadline)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        log.attempts += 1
        try:
            return call(limit_s)
        except (BotoCoreError, ClientError) as error:
            fault = fault_of(error)
            log.note_cause(error)
            failure = ServiceError(fault)
            if not fault.retryable or attempt == MAX_ATTEMPTS:
                raise failure from error
        time.sleep(min(random.uniform(pause_s / 2, pause_s), max(0.0, deadline.left_s())))
        pause_s *= 2
        try:
            limit_s = read_timeout_s(deadline)
        except ServiceError:
            raise failure from None  # out of time: raise the underlying fault, not the timeout
    raise AssertionError("unreachable")
