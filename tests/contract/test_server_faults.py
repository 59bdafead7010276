"""Overload, slow bodies, a stuck or broken model: what the service does when the process or its queue has a fault."""

import asyncio
import base64
import gc
import itertools
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import uvicorn

from inference.classifier import Classifier
from inference.prediction import Prediction
from inference.server import app as serving
from inference.server import main as server
from inference.server import service as server_service
from inference.server.admission import Admission
from inference.server.app import application
from inference.server.errors import RequestError
from inference.server.listener import listen
from inference.server.service import Service
from tests.builders import any_photo, write_artifact
from tests.patience import PATIENCE_S, wait_until

JPEG = {"content-type": "image/jpeg"}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(write_artifact(tmp_path))


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with listening(service) as client:
        yield client


@contextmanager
def listening(service: Service) -> Iterator[httpx.Client]:
    """A client of the service. The service listens in a thread of this process."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(application(service), lifespan="off", log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=PATIENCE_S) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def held_predictions(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """Predictions wait until the block ends; each releases the semaphore as it starts to wait."""
    started, release, predict = threading.Semaphore(0), threading.Event(), Classifier.predict

    def waiting(self: Classifier, image_bytes: bytes, **options: Any) -> list[Prediction]:
        started.release()
        assert release.wait(PATIENCE_S)
        return predict(self, image_bytes, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "predict", waiting)
        try:
            yield started
        finally:
            release.set()


def test_nothing_is_ready_before_the_model_is_loaded(service: Service, client: httpx.Client) -> None:
    assert client.get("/ping").status_code == 503
    early = client.post("/invocations", content=any_photo(), headers=JPEG)
    assert (early.status_code, early.json()["error"]["code"]) == (503, "loading")
    assert early.headers["retry-after"] == "1"

    service.load()
    assert client.get("/ping").status_code == 200
    assert client.post("/invocations", content=any_photo(), headers=JPEG).status_code == 200


def test_a_request_that_the_queue_cannot_answer_in_time_is_refused_at_once(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten_seconds_each = itertools.count(0, 10).__next__
    queue = Admission(1, limit_s=1e6, clock=ten_seconds_each)
    monkeypatch.setattr(serving, "Admission", lambda *_, **__: queue)
    monkeypatch.setattr(serving, "usable_cores", lambda: 1)
    service.load()

    def post(_: int) -> httpx.Response:
        return one_core.post("/invocations", content=any_photo(), headers=JPEG)

    with listening(service) as one_core, ThreadPoolExecutor(8) as callers:
        assert post(0).status_code == 200  # the clock above says that it took ten seconds
        queue.limit_s = 38  # so the queue may hold three photos
        with held_predictions(monkeypatch) as started:
            sent = [callers.submit(post, number) for number in range(8)]
            assert started.acquire(timeout=PATIENCE_S)
            finished = islice(as_completed(sent, timeout=PATIENCE_S), 5)  # the three others wait
            refused = [answer.result() for answer in finished]
            assert {answer.status_code for answer in refused} == {429}
            assert {answer.headers["retry-after"] for answer in refused} == {"20"}
            assert {answer.json()["error"]["retry_after_s"] for answer in refused} == {20}
            assert one_core.get("/ping").status_code == 200  # a busy server is healthy
            queue.limit_s = 1e6
        statuses = sorted(answer.result().status_code for answer in sent)
    assert statuses == [200] * 3 + [429] * 5


def test_a_body_that_does_not_arrive_is_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "BODY_TIMEOUT_S", 0.05)
    service.load()
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/invocations",
        "query_string": b"",
        "headers": [(b"content-type", b"image/jpeg")],
    }
    asyncio.run(asyncio.wait_for(application(service)(scope, receive, send), 30))
    assert sent[0]["status"] == 408
    assert b"did not arrive" in sent[1]["body"]


@pytest.mark.parametrize("photo", [b"", b"text", any_photo()[:99]], ids=["empty", "text", "cut"])
@pytest.mark.parametrize("in_a_batch", [False, True])
def test_a_refused_request_leaves_nothing_in_memory(
    service: Service, client: httpx.Client, photo: bytes, in_a_batch: bool
) -> None:
    service.load()
    body = json.dumps({"images": [base64.b64encode(photo).decode()]}).encode() if in_a_batch else photo
    headers = {"content-type": "application/json"} if in_a_batch else JPEG
    gc.collect()
    before = _errors_in_memory()
    gc.disable()  # it runs seldom, and until then each request would keep its body
    try:
        for _ in range(3):
            client.post("/invocations", content=body, headers=headers)
        kept_none = wait_until(lambda: _errors_in_memory() <= before)  # a thread may not have ended its last step yet
    finally:
        gc.enable()
    assert kept_none


def _errors_in_memory() -> int:
    return sum(isinstance(found, RequestError) for found in gc.get_objects())


def test_a_model_that_is_stuck_is_not_ready_until_it_answers(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.load()
    with ThreadPoolExecutor(1) as caller:
        with held_predictions(monkeypatch) as started:
            sent = caller.submit(client.post, "/invocations", content=any_photo(), headers=JPEG)
            assert started.acquire(timeout=PATIENCE_S)
            assert client.get("/ping").status_code == 200
            monkeypatch.setattr(server_service, "STUCK_S", -1)
            assert client.get("/ping").status_code == 503
        assert sent.result().status_code == 200
    assert client.get("/ping").status_code == 200


def test_a_model_that_stopped_answering_is_not_ready_until_it_answers(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise RuntimeError("the session at /opt/ml/model is gone")

    service.load()
    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "probabilities", broken)
        answer = client.post("/invocations", content=any_photo(), headers=JPEG)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
        assert "/opt" not in answer.text
        assert client.get("/ping").status_code == 503
        assert client.post("/invocations", content=b"text", headers=JPEG).status_code == 415
        assert client.get("/ping").status_code == 503

    assert client.post("/invocations", content=any_photo(), headers=JPEG).status_code == 200
    assert client.get("/ping").status_code == 200


def test_an_unexpected_error_while_loading_ends_the_server_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def out_of_memory(_: Service) -> NoReturn:
        raise MemoryError("no more")

    monkeypatch.setattr(Service, "load", out_of_memory)
    monkeypatch.setattr("sys.argv", ["server", "--model-dir", str(tmp_path), "--port", "0"])
    monkeypatch.setattr("signal.signal", lambda *_: None)  # keep pytest's handlers
    # The server's handler writes to the standard output of this test, which no later test has.
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    assert server.main() == 1
    assert capsys.readouterr().err == "MODEL LOAD FAILED: The model could not be loaded (MemoryError: no more).\n"
