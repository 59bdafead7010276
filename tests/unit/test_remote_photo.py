"""What ends a fetch before it makes a connection. tests/security/test_url_photos.py has the rest."""

import time
from collections.abc import Callable

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
