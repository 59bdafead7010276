"""What ends a fetch early, without the network. tests/security/test_url_photos.py has the rest."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from lambda_fn import remote_photo
from lambda_fn.deadline import Deadline
from lambda_fn.errors import ServiceError
from lambda_fn.photo_url import NO_HOSTS, AllowedHosts
from lambda_fn.request_log import RequestLog
from lambda_fn.settings import Settings

URL = "https://photos.example.org/dog.jpg?token=s3cret"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*arguments: object, **options: object) -> Callable[..., object]:
        raise AssertionError(f"{arguments} was looked up")

    monkeypatch.setattr("socket.getaddrinfo", resolve)


def fault(url: str, *, allowed: str = "photos.example.org", left_s: float = 10.0) -> tuple[ServiceError, RequestLog]:
    log = RequestLog()
    hosts = AllowedHosts.parse(allowed) if allowed else NO_HOSTS
    settings = Settings(endpoint_name="dogs", allowed_url_hosts=hosts)
    with pytest.raises(ServiceError) as caught:
        remote_photo.fetch(url, settings=settings, deadline=Deadline(time.monotonic() + left_s), log=log)
    assert "s3cret" not in caught.value.message + str(log.causes)
    return caught.value, log


def test_without_listed_hosts_the_error_names_the_setting_whatever_the_url() -> None:
    for url in (URL, "http://10.0.0.1/", "no URL"):
        error, _ = fault(url, allowed="")
        assert (error.fault.status, error.fault.code) == (400, "url_not_fetched")
        assert "api.allowed_url_hosts" in error.message


def test_a_host_that_is_not_listed_is_refused_and_the_log_names_it() -> None:
    error, log = fault(URL, allowed=".example.net")
    assert (error.fault.status, error.fault.code) == (403, "url_forbidden")
    assert "api.allowed_url_hosts" in error.message
    assert log.causes == ["_FetchError: photos.example.org is not allowed"]


def test_a_url_in_another_spelling_is_refused_with_its_reason() -> None:
    error, _ = fault("https://photos.example.org:8443/")
    assert (error.fault.status, error.fault.code) == (400, "url_invalid")
    assert "443" in error.message


@pytest.mark.parametrize("left_s", [-1.0, 0.0, 0.4])
def test_without_time_nothing_is_fetched(left_s: float) -> None:
    error, _ = fault(URL, left_s=left_s)
    assert error.fault.code == "url_timed_out"


def test_another_address_is_tried_where_the_system_lacks_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a kernel without IPv6, of a host that has addresses of both families."""
    real = socket.socket

    def without_ipv6(family: int = -1, *arguments: int, **options: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError("Address family not supported by protocol")
        return real(family, *arguments, **options)

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        monkeypatch.setattr(socket, "socket", without_ipv6)
        addresses: list[tuple[int, Any]] = [(socket.AF_INET6, ("::1", 1)), (socket.AF_INET, server.getsockname())]
        with closing(remote_photo._connected(addresses)) as connected:
            assert connected.getpeername() == server.getsockname()
        with pytest.raises(OSError, match="family"):
            remote_photo._connected(addresses[:1])


@pytest.mark.parametrize("refused", [4, 40])
def test_ipv4_is_reached_after_many_addresses_of_ipv6_that_refuse(refused: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        ipv6: list[tuple[int, Any]] = [(socket.AF_INET6, ("::1", 1))] * refused
        ipv4: list[tuple[int, Any]] = [(socket.AF_INET, server.getsockname())]
        for addresses in (ipv6 + ipv4, ipv6 + ipv4 * 3):
            with closing(remote_photo._connected(addresses)) as connected:
                assert connected.getpeername() == server.getsockname()


def test_no_more_addresses_are_tried_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def refuse(family: int, *_: int) -> socket.socket:
        tried.append(family)
        raise OSError("refused")

    monkeypatch.setattr(socket, "socket", refuse)
    families = [socket.AF_INET6] * 9 + [socket.AF_INET] * 9
    with pytest.raises(OSError, match="refused"):
        remote_photo._connected([(family, ()) for family in families])
    assert tried == [socket.AF_INET6, socket.AF_INET] * 2


@pytest.mark.parametrize("head", [b"", b"Location:\r\n", b"Location: \t\r\n"])
def test_a_redirect_to_nowhere_ends_the_fetch(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, peer = socket.socketpair()
    monkeypatch.setattr(remote_photo._Connection, "connect", lambda connection: setattr(connection, "sock", ours))

    def answer() -> None:
        with closing(peer):
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 302 Found\r\n" + head + b"Content-Length: 0\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    error, log = fault(URL)
    thread.join()
    assert error.fault.code == "url_failed"
    assert "does not say where" in error.message
    assert log.causes == ["_FetchError: photos.example.org redirects without Location"]
