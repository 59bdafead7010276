"""SageMaker's container contract, tested as a caller sees it, over real sockets."""

import base64
import http.client
import json
import os
import pickle
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import helper

from inference.processor import instruction_sets
from inference.server.app import MAX_BODY_BYTES
from inference.server.batch import MAX_PHOTOS
from tests.builders import LABELS, any_photo, colour_of, onnx_model, write_artifact
from tests.contract.server_process import Server, listening
from tests.patience import PATIENCE_S


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serving")
    with listening(write_artifact(folder / "model"), folder / "logs") as server:
        server.wait_until_ready()
        yield server
        assert server.child.exit_code() is None
        assert "Traceback" not in server.log()


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, after a check of its form: one sentence, and nothing about the machine."""
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    error = response.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["message"].endswith(".")
    assert not [word for word in ("Traceback", "/tmp", ".py", "inference", "object at") if word in error["message"]]
    return response.status_code, error["code"]


def raw(server: Server, request: bytes) -> bytes:
    """Everything that the server sends after these bytes, until the connection ends."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


HEAD = b"POST /invocations HTTP/1.1\r\nHost: dogs\r\nConnection: close\r\nContent-Type: image/jpeg\r\n"


# -- predictions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("index", range(len(LABELS)))
def test_a_photo_returns_its_breed(server: Server, format: str, index: int) -> None:
    response = server.invoke(any_photo(colour_of(index), format=format), f"image/{format.lower()}")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert "server" not in response.headers
    body = response.json()
    assert set(body) == {"predictions", "model"}
    assert [set(prediction) for prediction in body["predictions"]] == [{"breed", "probability"}] * len(LABELS)
    assert body["predictions"][0]["breed"] == LABELS[index]
    assert body["predictions"][0]["probability"] > 0.9


def test_every_response_names_the_model(server: Server) -> None:
    (ready,) = server.events("ready")
    assert server.invoke(any_photo()).json()["model"] == ready["model"]


def test_the_log_has_the_instruction_sets_of_the_processor(server: Server) -> None:
    (ready,) = server.events("ready")
    assert tuple(ready["processor"]) == instruction_sets()


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "IMAGE/PNG",
        "image/webp; q=1",
        "application/x-image",
        "image/jpg",
        "image/pjpeg",
        "image/gif",
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-www-form-urlencoded",  # what curl sends with --data-binary
        "application/json",
        "text/plain",
        "image/jpeg, text/html",
        "",
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_answered_whatever_its_content_type(server: Server, content_type: str, format: str) -> None:
    assert server.invoke(any_photo(format=format), content_type).json()["predictions"][0]["breed"] == LABELS[0]


def test_a_photo_without_a_content_type_is_answered(server: Server) -> None:
    photo = any_photo()
    head = HEAD.replace(b"Content-Type: image/jpeg\r\n", b"") + b"Content-Length: %d\r\n\r\n" % len(photo)
    assert raw(server, head + photo).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("attributes", ["top_k=2", "top_k = 2", "trace=7,top_k=2", "top_k=02", "id=topk,top_k=2"])
def test_the_caller_may_ask_for_a_number_of_breeds(server: Server, attributes: str) -> None:
    response = server.invoke(any_photo(), X_Amzn_SageMaker_Custom_Attributes=attributes)
    assert len(response.json()["predictions"]) == 2


@pytest.mark.parametrize("attributes", ["", "c000b4f9-df62-4c85-a0bf-7c525f9104a4", "trace=7,topic=dogs", "," * 1024])
def test_other_custom_attributes_are_ignored(server: Server, attributes: str) -> None:
    assert server.invoke(any_photo(), X_Amzn_SageMaker_Custom_Attributes=attributes).status_code == 200


@pytest.mark.parametrize("attributes", ["topk=2", "top-k=2", "TOP_K=2", "top_kk=1", "top_k:2", "trace=7, topK = 2"])
def test_a_misspelled_custom_attribute_is_refused(server: Server, attributes: str) -> None:
    response = server.invoke(any_photo(), X_Amzn_SageMaker_Custom_Attributes=attributes)
    assert error_of(response) == (400, "unknown_attribute")
    assert "top_k=N" in response.json()["error"]["message"]


@pytest.mark.parametrize("attributes", [["top_k=2,top_k=3"], ["top_k=2", "top_k=2"], ["trace=7,top_k=2", "top_k=3"]])
def test_two_numbers_of_breeds_are_refused(server: Server, attributes: list[str]) -> None:
    headers = [("X-Amzn-SageMaker-Custom-Attributes", value) for value in attributes]
    response = httpx.post(f"{server.url}/invocations", content=any_photo(), headers=headers)
    assert error_of(response) == (400, "bad_top_k")


def test_more_custom_attributes_than_sagemaker_passes_are_refused(server: Server) -> None:
    response = server.invoke(any_photo(), X_Amzn_SageMaker_Custom_Attributes="a," * 513)
    assert error_of(response) == (400, "bad_attributes")


@pytest.mark.parametrize("query", ["top_k=2", "k", "top_k=2&format=png", "%00"])
def test_a_query_is_refused_with_the_header_that_has_an_effect(server: Server, query: str) -> None:
    response = httpx.post(f"{server.url}/invocations?{query}", content=any_photo())
    assert error_of(response) == (400, "unknown_query")
    assert "X-Amzn-SageMaker-Custom-Attributes: top_k=N" in response.json()["error"]["message"]


def test_ping_is_answered_with_a_query(server: Server) -> None:
    assert httpx.get(f"{server.url}/ping?from=load-balancer").status_code == 200


@pytest.mark.parametrize("value", ["0", "-1", "1001", "1.5", "all", "", "\u00b2", "9" * 900, "1e3", "0x10", "1_0"])
def test_an_impossible_number_of_breeds_is_refused(server: Server, value: str) -> None:
    headers = [
        (b"content-type", b"image/jpeg"),
        (b"x-amzn-sagemaker-custom-attributes", f"top_k={value}".encode("latin-1")),
    ]
    response = httpx.post(f"{server.url}/invocations", content=any_photo(), headers=headers)
    assert error_of(response) == (400, "bad_top_k")


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "application/*;q=0.1", "image/png, */*;q=0.1", "APPLICATION/JSON"]
)
def test_a_caller_that_accepts_json_gets_it(server: Server, accept: str) -> None:
    assert server.invoke(any_photo(), accept=accept).status_code == 200


@pytest.mark.parametrize("accept", ["image/*", "text/html", "application/xml,", "image/png, text/plain"])
def test_a_caller_that_accepts_no_json_is_refused(server: Server, accept: str) -> None:
    assert error_of(server.invoke(any_photo(), accept=accept)) == (406, "not_acceptable")


def test_without_an_accept_header_the_response_is_json(server: Server) -> None:
    photo = any_photo()
    answer = raw(server, HEAD + b"Content-Length: %d\r\n\r\n" % len(photo) + photo)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_second_accept_header_counts_too(server: Server) -> None:
    photo = any_photo()
    headers = b"Accept: image/*\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n" % len(photo)
    assert raw(server, HEAD + headers + photo).startswith(b"HTTP/1.1 200 ")


# -- batches ---------------------------------------------------------------------------------------------------------


def batch(server: Server, body: object, **headers: str) -> httpx.Response:
    return server.invoke(body if isinstance(body, bytes) else json.dumps(body).encode(), "application/json", **headers)


def base64_of(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


def test_the_photos_of_a_batch_are_answered_in_order(server: Server) -> None:
    images = [base64_of(any_photo(colour_of(index % 3))) for index in range(7)]
    response = batch(server, {"images": images}, X_Amzn_SageMaker_Custom_Attributes="top_k=1")

    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"results", "model"}
    assert [result["predictions"][0]["breed"] for result in body["results"]] == [LABELS[n % 3] for n in range(7)]
    assert {len(result["predictions"]) for result in body["results"]} == {1}
    assert body["model"] == server.invoke(any_photo()).json()["model"]


def test_a_bad_photo_in_a_batch_does_not_affect_the_others(server: Server) -> None:
    bad = [b"a dog", any_photo()[:99], any_photo(size=(5001, 5000), format="PNG")]
    images = ["not base64!", *map(base64_of, bad), base64_of(any_photo(colour_of(1)))]
    results = batch(server, {"images": images}).json()["results"]

    codes = [result["error"]["code"] for result in results[:-1]]
    assert codes == ["bad_base64", "not_a_photo", "broken_photo", "too_many_pixels"]
    assert results[-1]["predictions"][0]["breed"] == LABELS[1]


@pytest.mark.parametrize("content_type", ["", "application/octet-stream", "application/x-www-form-urlencoded"])
def test_a_batch_is_answered_whatever_its_content_type(server: Server, content_type: str) -> None:
    body = json.dumps({"images": [base64_of(any_photo())]}).encode()
    (result,) = server.invoke(body, content_type).json()["results"]
    assert result["predictions"][0]["breed"] == LABELS[0]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", (400, "bad_json")),
        (b"<xml/>", (400, "bad_json")),
        (b"[" * 100_000, (400, "bad_batch")),
        (b"9" * 100_000, (400, "bad_batch")),
        ([], (400, "bad_batch")),
        ({"images": []}, (400, "bad_batch")),
        ({"images": "text"}, (400, "bad_batch")),
        ({"images": [7]}, (400, "bad_batch")),
        ({"images": ["/9j/"], "top_k": 2}, (400, "bad_batch")),
        ({"image": ["text"]}, (400, "bad_batch")),
        ({"images": [""] * (MAX_PHOTOS + 1)}, (413, "too_many_photos")),
    ],
)
def test_an_invalid_batch_is_refused(server: Server, body: object, refusal: tuple[int, str]) -> None:
    assert error_of(batch(server, body)) == refusal


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["application/octet-stream", "image/jpeg", "text/plain", ""])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        (any_photo(format="GIF"), "a GIF"),
        (b"%PDF-1.7", "a PDF document"),
        (b"a dog", "text"),
        (b"\x1f\x8b\x08\0", "an archive"),
        (base64.b64encode(any_photo()), "text in base64; send the bytes of the photo themselves"),
        (base64.b64encode(any_photo(format="PNG")), "text in base64"),
        (base64.b64encode(any_photo(format="WEBP")), "text in base64"),
        (b"data:image/jpeg;base64,/9j/", "text in base64"),
    ],
    ids=["GIF", "PDF", "text", "gzip", "JPEG in base64", "PNG in base64", "WebP in base64", "data URL"],
)
def test_a_body_that_is_no_photo_is_refused_with_what_it_is(
    server: Server, content_type: str, body: bytes, named: str
) -> None:
    response = server.invoke(body, content_type)
    assert response.status_code == 415
    assert named in response.json()["error"]["message"]


def test_a_form_is_refused_with_what_to_send(server: Server) -> None:
    response = httpx.post(f"{server.url}/invocations", files={"file": any_photo()})
    assert error_of(response) == (415, "unsupported_type")
    assert "a form (multipart/form-data); send the bytes of the photo themselves" in response.json()["error"]["message"]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_from_which_curl_removed_bytes_is_refused_with_the_option_that_does_not(
    server: Server, format: str
) -> None:
    """`curl -d @photo.jpg` sends the file without its line ends and zero bytes."""
    sent = any_photo(format=format).translate(None, b"\r\n\0")
    response = server.invoke(sent, "application/x-www-form-urlencoded")
    assert error_of(response) == (422, "broken_photo")
    assert "--data-binary @photo.jpg" in response.json()["error"]["message"]


def test_a_pickle_is_refused_and_not_loaded(server: Server, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "pickle-was-loaded"),))

    for content_type in ("application/x-npy", "application/python-pickle", "image/jpeg"):
        assert server.invoke(pickle.dumps(Trap()), content_type).status_code == 415
    assert not (tmp_path / "pickle-was-loaded").exists()


@pytest.mark.parametrize(
    ("photo", "refusal"),
    [
        (b"", (400, "empty")),
        (b"a dog", (415, "not_a_photo")),
        (b"<svg/>", (415, "not_a_photo")),
        (any_photo(format="GIF"), (415, "not_a_photo")),
        (any_photo(size=(300, 200), detail_seed=1)[:3000], (422, "broken_photo")),
        (any_photo(size=(300, 200), format="PNG", detail_seed=1)[:3000], (422, "broken_photo")),
        (any_photo(size=(900, 9), format="PNG"), (422, "too_narrow")),
        (any_photo(size=(5001, 5000), format="PNG"), (413, "too_many_pixels")),
    ],
    ids=["nothing", "text", "svg", "gif", "cut JPEG", "cut PNG", "strip", "bomb"],
)
def test_bytes_that_are_not_a_valid_photo_are_refused(server: Server, photo: bytes, refusal: tuple[int, str]) -> None:
    assert error_of(server.invoke(photo)) == refusal


def test_a_body_may_be_as_large_as_the_limit_and_no_larger(server: Server) -> None:
    photo = any_photo()
    assert server.invoke(photo.ljust(MAX_BODY_BYTES, b"\0")).status_code == 200
    assert error_of(server.invoke(photo.ljust(MAX_BODY_BYTES + 1, b"\0"))) == (413, "too_large")


def test_a_body_without_a_length_has_the_same_limit(server: Server) -> None:
    def chunks(size: int) -> Iterator[bytes]:
        photo = any_photo().ljust(size, b"\0")
        return (photo[at : at + 100_000] for at in range(0, size, 100_000))

    for size, status in ((MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)):
        response = httpx.post(f"{server.url}/invocations", content=chunks(size), headers={"content-type": "image/jpeg"})
        assert response.status_code == status


@pytest.mark.parametrize(
    ("size", "content_type", "status"), [(8 * MAX_BODY_BYTES, "image/jpeg", 413), (MAX_BODY_BYTES, "text/plain", 415)]
)
def test_a_client_that_sends_everything_before_it_reads_sees_the_refusal(
    server: Server, size: int, content_type: str, status: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    connection.request("POST", "/invocations", bytes(size), {"Content-Type": content_type, "Connection": "close"})
    assert connection.getresponse().status == status
    connection.close()


def test_a_body_over_the_limit_is_not_kept_in_memory(server: Server) -> None:
    def peak() -> int:
        (line,) = re.findall(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{server.child.pid}/status").read_text())
        return int(line) * 1024

    server.invoke(bytes(MAX_BODY_BYTES))
    before = peak()
    assert server.invoke(bytes(9 * MAX_BODY_BYTES)).status_code == 413
    assert peak() - before < 3 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/invocations", 405),
        ("PUT", "/invocations", 405),
        ("POST", "/ping", 405),
        ("GET", "/", 404),
        ("GET", "/ping/", 404),
        ("POST", "/invocations/", 404),
        ("GET", "/../../etc/passwd", 404),
        ("POST", "/models/other/invoke", 404),
    ],
)
def test_there_are_two_routes(server: Server, method: str, path: str, status: int) -> None:
    response = httpx.request(method, server.url + path)
    assert error_of(response) == (status, "no_such_route")


def test_head_is_answered_like_get(server: Server) -> None:
    response = httpx.head(f"{server.url}/ping")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /invocations HTTP/9\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: dogs\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n",
    ],
    ids=["TLS", "version", "negative length", "two lengths", "bad chunk", "long header", "websocket"],
)
def test_invalid_http_does_not_affect_other_callers(server: Server, request_bytes: bytes) -> None:
    try:
        answer = raw(server, request_bytes)
    except ConnectionError:
        answer = b""
    assert b"Traceback" not in answer
    assert server.invoke(any_photo()).status_code == 200


# -- connections -----------------------------------------------------------------------------------------------------


def test_one_connection_serves_request_after_request(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    connection.connect()
    opened = connection.sock
    for photo, status in ((any_photo(), 200), (b"", 400), (b"text", 415), (any_photo()[:99], 422), (any_photo(), 200)):
        connection.request("POST", "/invocations", photo, {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        json.loads(response.read())
        assert response.status == status
        assert connection.sock is opened
    connection.close()


def test_eight_concurrent_clients_each_get_their_own_response(server: Server) -> None:
    photos = [any_photo(colour_of(index)) for index in range(3)]

    def correct_responses(client: int) -> int:
        right = 0
        with httpx.Client(base_url=server.url, headers={"content-type": "image/jpeg"}) as connection:
            for number in range(25):
                index = (client + number) % 4
                answer = connection.post("/invocations", content=photos[index] if index < 3 else b"not a photo")
                if index == 3:
                    right += answer.status_code == 415
                else:
                    right += answer.json()["predictions"][0]["breed"] == LABELS[index]
        return right

    with ThreadPoolExecutor(8) as clients:
        assert list(clients.map(correct_responses, range(8))) == [25] * 8


def test_a_caller_that_disconnects_is_logged_in_one_line(server: Server) -> None:
    before = len(server.events("abandoned"))
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + any_photo())

    server.group.wait_until(lambda: len(server.events("abandoned")) > before, what="the line", timeout_s=PATIENCE_S)
    assert server.invoke(any_photo()).status_code == 200


def test_unfinished_requests_do_not_make_others_wait(server: Server) -> None:
    unfinished = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    try:
        for number, connection in enumerate(unfinished):
            connection.sendall([b"", HEAD, HEAD + b"Content-Length: 9999\r\n\r\n\xff\xd8"][number % 3])
        assert server.invoke(any_photo()).status_code == 200
    finally:
        for connection in unfinished:
            connection.close()


def test_each_invocation_is_one_line_of_json(server: Server) -> None:
    server.invoke(any_photo())
    server.invoke(b"text")

    answered, refused = server.events("answered")[-1], server.events("refused")[-1]
    assert set(answered) == {"event", "status", "photos", "bytes", "ms"}
    assert (refused["status"], refused["code"]) == (415, "not_a_photo")


# -- a model with a fault --------------------------------------------------------------------------------------------


def test_a_photo_on_which_the_model_fails_is_a_500_and_the_service_stays_ready(tmp_path: Path) -> None:
    pool = helper.make_node("GlobalAveragePool", ["photos"], ["pooled"])
    flat = helper.make_node("Flatten", ["pooled"], ["flat"])
    less = helper.make_node("Sub", ["limit", "flat"], ["left"])
    model = onnx_model(
        [pool, flat, less, helper.make_node("Log", ["left"], ["logits"])],  # NaN for a white photo
        {"limit": np.array([2.0, 2.0, 2.0])},
        output_shape=["batch", 3],
    )
    with listening(write_artifact(tmp_path / "model", model=model), tmp_path / "logs") as server:
        server.wait_until_ready()
        assert error_of(server.invoke(any_photo((255, 255, 255)))) == (500, "internal")

        white, red = batch(server, {"images": list(map(base64_of, (any_photo((255, 255, 255)), any_photo())))}).json()[
            "results"
        ]
        assert white["error"]["code"] == "internal"
        assert red["predictions"]

        line, _ = server.events("failed")
        assert "its output is not finite" in line["traceback"]
        assert httpx.get(f"{server.url}/ping").status_code == 200
        assert server.invoke(any_photo()).status_code == 200
