"""The server under load and under overload.

    make bench-load
    make bench-load ARGS="--requests 2000"

First 10,000 requests at concurrency 8, one in a hundred of them invalid. Every response is compared with the prediction
of the classifier in this process, or with the expected error status. Memory is read after a tenth of the requests and
at the end, file descriptors before and after. Then an increasing number of callers sends batches of slow photos, until
the queue exceeds SageMaker's 60 s. A refused request must be refused at once, and an accepted request must be answered
in time. /ping must be answered within SageMaker's 2 s meanwhile.
"""

import argparse
import base64
import io
import itertools
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from benchmarks import serving_processes as processes
from benchmarks.goals import goal
from benchmarks.http_load import Connection, Response, drive, invocation
from benchmarks.processor import print_processor
from benchmarks.serving import CONCURRENCY, CORES
from benchmarks.serving_inputs import LARGE, options, prepare
from benchmarks.serving_processes import Server
from inference.classifier import Classifier
from inference.prediction import Prediction
from inference.server.admission import LIMIT_S
from rehearsal.processes import ProcessGroup

BAD_EVERY = 100
CALLERS = 60
BATCH = 32

Expected = int | list[Prediction]
"""Of one request: the error status, or the predictions."""


def main() -> None:
    parser = argparse.ArgumentParser(description="The server under load and under overload.")
    parser.add_argument("--requests", type=int, default=10_000, help="at concurrency 8 (default: 10,000)")
    options(parser)
    arguments = parser.parse_args()
    print_processor()
    inputs = prepare(arguments.model, arguments.data, arguments.weights)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    classifier = Classifier(inputs.model_dir)
    with tempfile.TemporaryDirectory() as logs, ProcessGroup(Path(logs)) as group:
        server = processes.kennel(group, inputs.model_dir)
        print(f"== {arguments.requests} requests at concurrency {CONCURRENCY}: {inputs.described}", flush=True)
        load(server, classifier, inputs.photos[:100], arguments.requests)
        print(f"== {CALLERS} callers with batches of {BATCH} slow photos", flush=True)
        overload(server, inputs.photos[0])


def load(server: Server, classifier: Classifier, photos: Sequence[bytes], count: int) -> None:
    good = [(invocation(photo), classifier.predict(photo)) for photo in photos]
    bad = bad_requests(photos[0])
    work: list[tuple[bytes, Expected]] = [
        bad[number // BAD_EVERY % len(bad)] if number % BAD_EVERY == BAD_EVERY - 1 else good[number % len(good)]
        for number in range(count)
    ]
    descriptors = server.descriptors()
    responses = drive(server.port, [request for request, _ in work[: count // 10]], concurrency=CONCURRENCY)
    warm = server.resident_mb()
    started = time.perf_counter()
    responses += drive(server.port, [request for request, _ in work[count // 10 :]], concurrency=CONCURRENCY)
    rate = (count - count // 10) / (time.perf_counter() - started)
    growth = server.resident_mb() - warm
    processes.wait_for(lambda: server.descriptors() <= descriptors, timeout_s=5)

    print(f"{rate:.0f} requests/s; statuses {_statuses(responses)}")
    goal("lost", sum(not isinstance(response, Response) for response in responses), at_most=0)
    pairs = zip(responses, work, strict=True)
    goal("wrong", sum(isinstance(a, Response) and not is_correct(a, expected) for a, (_, expected) in pairs), at_most=0)
    goal(f"memory growth above {warm:.0f} MB, MB", growth, at_most=10)
    goal("additional file descriptors", server.descriptors() - descriptors, at_most=0)


def bad_requests(photo: bytes) -> list[tuple[bytes, Expected]]:
    """Invalid requests, each with its expected status."""
    return [
        (invocation(b""), 400),
        (invocation(b"a dog"), 415),
        (invocation(photo[: len(photo) // 2]), 422),
        (invocation(photo, "text/plain"), 415),
        (invocation(b"[[[", "application/json"), 400),
        (invocation(bytes(7 * 2**20)), 413),
        (invocation(photo).replace(b"application/json", b"text/html", 1), 406),
        (invocation(photo).replace(b"/invocations", b"/elsewhere", 1), 404),
    ]


def is_correct(response: Response, expected: Expected) -> bool:
    if isinstance(expected, int):
        return response.status == expected and "error" in json.loads(response.body)
    if response.status != 200:
        return False
    predictions = json.loads(response.body)["predictions"]
    return len(predictions) == len(expected) and all(
        found["breed"] == e.breed and abs(found["probability"] - e.probability) < 1e-3
        for found, e in zip(predictions, expected, strict=True)
    )


def slow_photo() -> bytes:
    """12 megapixels in a small PNG. Decoding cannot skip any of it."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize(LARGE).save(buffer, "PNG")
    return buffer.getvalue()


def overload(server: Server, photo: bytes) -> None:
    """Each caller sends batches for half of the time limit. A new caller starts every 0.2 s."""
    slow = base64.b64encode(slow_photo()).decode()
    request = invocation(json.dumps({"images": [slow] * BATCH}).encode(), "application/json")
    end = time.monotonic() + LIMIT_S / 2
    responses: list[Response | OSError] = []

    def caller(delay: float) -> None:
        time.sleep(delay)
        with Connection(server.port) as connection:
            for _ in _until(end):
                try:
                    response = connection.send(request)
                except OSError as error:
                    responses.append(error)
                    return
                responses.append(response)
                if response.status != 200:
                    time.sleep(1)  # an impatient caller

    pings: list[float] = []

    def ping() -> None:
        with Connection(server.port) as connection:
            for _ in _until(end):
                pings.append(connection.send(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").seconds)
                time.sleep(0.1)

    callers = [threading.Thread(target=caller, args=(number / 5,)) for number in range(CALLERS)]
    callers.append(threading.Thread(target=ping))
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    served = [a.seconds for a in responses if isinstance(a, Response) and a.status == 200]
    refused = [a.seconds for a in responses if isinstance(a, Response) and a.status == 429]
    print(f"statuses {_statuses(responses)}")
    goal("refused", len(refused), at_least=1)
    goal("slowest refusal, s", max(refused, default=0), at_most=1)
    goal("slowest response, s", max(served, default=0), at_most=LIMIT_S)
    goal("slowest /ping meanwhile, s", max(pings, default=LIMIT_S), at_most=2)
    goal("other statuses", len(responses) - len(served) - len(refused), at_most=0)
    with Connection(server.port) as connection:
        goal("status of the next photo", connection.send(invocation(photo)).status, at_most=200)


def _until(end: float) -> Iterator[int]:
    return itertools.takewhile(lambda _: time.monotonic() < end, itertools.count())


def _statuses(responses: Sequence[Response | OSError]) -> dict[str, int]:
    return dict(Counter(str(a.status) if isinstance(a, Response) else type(a).__name__ for a in responses))


if __name__ == "__main__":
    main()
