"""How the Lambda function treats an endpoint and an S3 that misbehave: its time, and the requests that it sends.

    make bench-function-faults

The first table has the seconds until the handler answers with 10 s left, for peers that send a byte every 50 ms and
never end. The second has the requests that reach the endpoint for one request of a caller, for faults that last.
The function runs in AWS's runtime client; the sockets are real.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from benchmarks.processor import print_processor
from rehearsal.aws.lambda_runtime import LambdaRuntime
from rehearsal.aws.runtime_api import FunctionError
from tests.faults.fault_server import Fault, busy_model, error, misbehaving, resets
from tests.faults.slow_peer import OK, WRONG, Speaks, drips, says_nothing, slow_peer
from tests.rehearsal.container import REPOSITORY, any_event

LEFT_S = 10.0
SLOW: Mapping[str, Speaks] = {
    "silence": says_nothing,
    "status line": drips(b"", b"HTTP/1.1 200 OK" + b" " * 10_000),
    "headers": drips(OK, b"X-More: 1\r\n"),
    "body": drips(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunks": drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
    "an error's body": drips(WRONG + b"Content-Length: 100000\r\n\r\n", b" "),
}
EVENTS = {"endpoint": any_event(), "S3": {"s3": {"bucket": "photos", "key": "dog.jpg"}}}
LASTING: Mapping[str, Fault] = {
    "container's 429, 24 s advised": busy_model(24),
    "container's 429, 1 s advised": busy_model(1),
    "503 ServiceUnavailable": error(503, "ServiceUnavailable"),
    "ThrottlingException": error(400, "ThrottlingException"),
    "429 ModelNotReadyException": error(429, "ModelNotReadyException"),
    "500 InternalFailure": error(500, "InternalFailure"),
    "connection reset": resets,
}


def function_of(url: str, timeout_s: float) -> LambdaRuntime:
    urls = {f"AWS_ENDPOINT_URL_{service}": url for service in ("S3", "SAGEMAKER_RUNTIME")}
    return LambdaRuntime(
        "lambda_fn.handler.handler",
        task_root=REPOSITORY,
        env={"ENDPOINT_NAME": "dogs", "READABLE_S3_PREFIXES": "s3://photos/", **urls},
        timeout_s=timeout_s,
    )


def answered(function: LambdaRuntime, event: object) -> tuple[float, str]:
    """Seconds until the function's answer, and its status; or Lambda's error if there was none."""
    began = time.monotonic()
    try:
        status = str(function.invoke(event)["statusCode"])
    except FunctionError as ended:
        status = ended.kind
    return time.monotonic() - began, status


def slow(case: tuple[str, str]) -> str:
    service, what = case
    with slow_peer(SLOW[what]) as peer, function_of(peer.url, LEFT_S) as function:
        seconds, status = answered(function, EVENTS[service])
    return f"{service:<10} {what:<18} {seconds:6.1f} s  {status}"


def main() -> None:
    print_processor()
    print(f"\nSlow peers, {LEFT_S:g} s left")
    with ThreadPoolExecutor(4) as pool:
        for row in pool.map(slow, [(service, what) for service in EVENTS for what in SLOW]):
            print(row, flush=True)
    print("\nFaults that last: requests that reach the endpoint for one of a caller")
    with misbehaving() as faults, function_of(faults.url, 29) as function:
        for name, fault in LASTING.items():
            faults.play(fault)
            seconds, status = answered(function, any_event())
            print(f"{name:<30} {faults.calls} requests  {seconds:4.1f} s  {status}", flush=True)


if __name__ == "__main__":
    main()
