"""A request that is not HTTP, or whose form costs too much, gets a sentence, and no traceback in the log."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.builders import any_photo, write_artifact
from tests.contract.server_process import Server, listening
from tests.patience import PATIENCE_S
from tests.security.connection_attacks import CHUNKED, PING


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("malformed")
    with listening(write_artifact(folder / "model"), folder / "logs") as server:
        server.wait_until_ready()
        yield server
        assert server.child.exit_code() is None
        assert "Traceback" not in server.log()


def sent(server: Server, *parts: bytes) -> bytes:
    """Everything that the server sends until it closes the connection. After each part but the last it must answer."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        for part in parts[:-1]:
            connection.sendall(part)
            received += connection.recv(65536)
        connection.sendall(parts[-1])
        return received + b"".join(iter(lambda: connection.recv(65536), b""))


def refusal(response: bytes) -> tuple[bytes, str, str]:
    """Status line, code and sentence."""
    head, _, body = response.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    return head.partition(b"\r\n")[0], error["code"], error["message"]


def chunked(photo: bytes, size: int) -> bytes:
    pieces = [photo[at : at + size] for at in range(0, len(photo), size)]
    return CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # TLS
        b"GET /ping\r\n\r\n",
        b"GET /ping HTTP/1.1\r\n\r\n",
        PING.replace(b"\r\n\r\n", b"\r\nHost: cats\r\n\r\n"),
        PING.replace(b"\r\n\r\n", b"\r\nA: " + b"x" * 20_000),
        CHUNKED + b"z\r\n",
        CHUNKED.replace(b"chunked", b"gzip, chunked"),
        CHUNKED + b"1\r\nxx\r\n0\r\n\r\n",
        CHUNKED + b"0\r\na\0: b\r\n\r\n",
    ],
    ids=["TLS", "no version", "no host", "two hosts", "long head", "chunk size", "gzip", "chunk end", "trailer"],
)
def test_a_request_that_is_not_http_gets_a_sentence(server: Server, request_: bytes) -> None:
    status, code, message = refusal(sent(server, request_))
    assert (status, code) == (b"HTTP/1.1 400 Bad Request", "bad_request")
    assert message == "The request is not HTTP/1.1, or its head has more than 16384 bytes."


def test_a_body_of_tiny_chunks_gets_a_sentence_although_its_caller_sends_it_all(server: Server) -> None:
    refused, abandoned = len(server.events("refused")), len(server.events("abandoned"))
    status, code, message = refusal(sent(server, CHUNKED + b"1\r\nx\r\n" * 250_000 + b"0\r\n\r\n"))

    assert (status, code) == (b"HTTP/1.1 400 Bad Request", "too_many_chunks")
    assert message == "The body's chunks are too small; send at least 128 bytes in each."
    assert [event["code"] for event in server.events("refused")[refused:]] == ["too_many_chunks"]
    assert len(server.events("abandoned")) == abandoned


@pytest.mark.parametrize("size", [1, 100, 1000, 2**20])
def test_a_photo_in_chunks_is_answered(server: Server, size: int) -> None:
    photo = any_photo()
    assert len(photo) < 1000
    request = chunked(photo, size).replace(b"Host: dogs", b"Host: dogs\r\nConnection: close")
    assert sent(server, request).startswith(b"HTTP/1.1 200 ")


def test_a_malformed_chunk_after_the_response_closes_the_connection(server: Server) -> None:
    response = sent(server, CHUNKED.replace(b"/invocations", b"/elsewhere"), b"z\r\n")
    assert response.startswith(b"HTTP/1.1 404 ")
    assert response.count(b"HTTP/1.1") == 1
