"""Part of `make bench-lambda`: how long the function takes to start, and by itself for a photo of 1 MB.

The reference is a bare boto3 handler. Both run in turn, in random order, so that other programs slow both down.
"""

import base64
import json
import os
import random
import statistics
import time
from collections.abc import Mapping, Sequence

from benchmarks.function_environments import BARE, KENNEL, Functions, processor_ms
from benchmarks.goals import goal
from rehearsal.aws.lambda_runtime import LambdaRuntime

PHOTO = b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(1_000_000)
ENCODED = base64.b64encode(PHOTO).decode()
EVENTS = {
    "in a direct event": {"image": ENCODED},
    "as the body over HTTP": {
        "requestContext": {"http": {"method": "POST"}},
        "rawPath": "/predict",
        "headers": {"content-type": "image/jpeg"},
        "isBase64Encoded": True,
        "body": ENCODED,
    },
}
WARM_UP = 20


def measure_start(functions: Functions, url: str, rounds: int) -> None:
    """Print the start of a process until it asks for its first event: by the clock, and its processor time."""
    variants: dict[str, tuple[str, dict[str, str]]] = {
        "bare": (BARE, {}),
        "Kennel": (KENNEL, {}),
        "Kennel with S3": (KENNEL, {"READABLE_S3_PREFIXES": "s3://photos/"}),
    }
    clock: dict[str, list[float]] = {name: [] for name in variants}
    processor: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, (handler, env) in random.sample(list(variants.items()), len(variants)):
            with functions.start(handler, url, env=env) as function:
                if number:  # the first round reads the files from the disk
                    clock[name].append(function.init_s * 1000)
                    processor[name].append(processor_ms(function))
    for what, found in (("clock", clock), ("processor time", processor)):
        medians = {name: statistics.median(values) for name, values in found.items()}
        print_ms(what, medians)
        for name in ("Kennel", "Kennel with S3"):
            goal(f"start by {what}, {name}, bare = 1", medians[name] / medians["bare"], at_most=1.3)


def measure_own_time(functions: Functions, url: str, calls: int) -> None:
    """Print how much longer the function takes than the reference, at the median and at the 99th percentile.

    Other programs on the machine make the clock's 99th percentile a matter of chance, and the processor time less so.
    """
    for name, event in EVENTS.items():
        payload = json.dumps(event).encode()
        with functions.start(KENNEL, url) as kennel, functions.start(BARE, url) as bare:
            both = {"Kennel": kennel, "bare": bare}
            clock: dict[str, list[float]] = {who: [] for who in both}
            processor: dict[str, list[float]] = {who: [] for who in both}
            for number in range(WARM_UP + calls):
                for who, function in random.sample(list(both.items()), 2):
                    took = timed(function, payload)
                    if number >= WARM_UP:
                        clock[who].append(took[0])
                        processor[who].append(took[1])
        for what, found in (("clock", clock), ("processor time", processor)):
            for share, at_most in ((0.5, 1), (0.99, 5)):
                values = {who: quantile(times, share) for who, times in found.items()}
                print_ms(f"{what}, p{share * 100:.0f}", values)
                goal(
                    f"own time {name}, {what}, p{share * 100:.0f}, ms",
                    values["Kennel"] - values["bare"],
                    at_most=at_most,
                )


def timed(function: LambdaRuntime, payload: bytes) -> tuple[float, float]:
    """Milliseconds of a call by the clock, and of the processor in the function's process."""
    began, used = time.perf_counter(), processor_ms(function)
    response = json.loads(function.invoke_raw(payload))
    took = (time.perf_counter() - began) * 1000
    if response["statusCode"] != 200:
        raise SystemExit(f"A call failed, so nothing was measured: {response}")
    return took, processor_ms(function) - used


def print_ms(what: str, values: Mapping[str, float]) -> None:
    print(f"{what:22}" + "".join(f"{name}: {value:.2f} ms   " for name, value in values.items()))


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def load() -> str:
    """What else the machine does."""
    return f"load average {os.getloadavg()[0]:.1f}"
