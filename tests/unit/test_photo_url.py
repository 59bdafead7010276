"""Of the spellings of a URL one is accepted, and its host is compared with the settings to the letter."""

import ipaddress
import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_fn.photo_url import AllowedHosts, PhotoUrl, PhotoUrlError
from stacks.settings.api import ApiSettings
from tests.security.special_ranges import METADATA
from tests.security.url_spellings import spellings


@pytest.mark.parametrize(
    ("text", "host", "target"),
    [
        ("https://photos.example.org/dog.jpg", "photos.example.org", "/dog.jpg"),
        ("HTTPS://Photos.EXAMPLE.org/Dog.JPG?Size=1&x=%2F#top", "photos.example.org", "/Dog.JPG?Size=1&x=%2F"),
        ("https://photos.example.org", "photos.example.org", "/"),
        ("https://photos.example.org?x=1", "photos.example.org", "/?x=1"),
        ("https://photos.example.org:443/", "photos.example.org", "/"),
        ("https://photos.example.org/a//b/../c@d:e", "photos.example.org", "/a//b/../c@d:e"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
        ("https://photos.example.org#@other.example.org/", "photos.example.org", "/"),
        ("https://photos.example.org?@other.example.org/", "photos.example.org", "/?@other.example.org/"),
    ],
)
def test_a_plain_url_is_read(text: str, host: str, target: str) -> None:
    assert PhotoUrl.parse(text) == PhotoUrl(host, target)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "https://"),
        ("photos.example.org/dog.jpg", "https://"),
        ("http://photos.example.org/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https:photos.example.org", "https://"),
        ("https:/photos.example.org", "https://"),
        ("//photos.example.org", "https://"),
        ("https:///photos.example.org", "DNS name"),
        ("https://photos.example.org:80/", "port"),
        ("https://photos.example.org:/", "port"),
        ("https://photos.example.org:0443/", "port"),
        ("https://photos.example.org:443:443/", "port"),
        ("https://me@photos.example.org/", "user name"),
        ("https://me:secret@photos.example.org/", "user name"),
        ("https://photos.example.org@other.example.org/", "user name"),
        ("https://photos.example.org\\@other.example.org/", "contains"),
        ("https://other.example.org\\.photos.example.org/", "contains"),
        ("https://photos.example.org./", "dot at its end"),
        ("https://photos..example.org/", "DNS name"),
        ("https://.example.org/", "DNS name"),
        ("https://photos_1.example.org/", "DNS name"),
        ("https://-photos.example.org/", "DNS name"),
        ("https://photos%2eexample.org/", "DNS name"),
        ("https://localhost/", "DNS name"),
        (f"https://{'a' * 64}.example.org/", "DNS name"),
        (f"https://{'a.' * 130}org/", "DNS name"),
        ("https://b\u00fccher.example/", "xn--"),
        ("https://photos.example.org/h\u00fcndchen.jpg", "Percent-encode"),
        ("https://photos.example.org/a b", "Percent-encode"),
        ("https://photos.example.org/\r\nHost: other.example.org", "contains '\\r'"),
        (" https://photos.example.org/", "contains ' '"),
        ("https://photos.example.org/\x00", "contains '\\x00'"),
        ("https://photos.example.org/\ud800", "contains '\\ud800'"),
        (f"https://photos.example.org/{'a' * 2048}", "2,048"),
    ],
)
def test_any_other_url_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(PhotoUrlError, match=re.escape(sentence)) as caught:
        PhotoUrl.parse(text)
    assert str(caught.value).isprintable()


def test_no_spelling_of_an_ip_address_is_a_host() -> None:
    found = {how: url for how, url in spellings(METADATA, "photos.example.org").items() if is_read_as_another(url)}

    assert found == {}
    assert len(spellings(METADATA, "photos.example.org")) >= 30


def is_read_as_another(url: str) -> bool:
    try:
        return PhotoUrl.parse(url).host != "photos.example.org"
    except PhotoUrlError:
        return False


@given(st.text("0123456789abcdefx.-:[]", max_size=24))
def test_no_host_is_an_address_to_the_c_library(host: str) -> None:
    """`inet_aton` accepts octal, hexadecimal and short forms."""
    try:
        read = PhotoUrl.parse(f"https://{host}/").host
    except PhotoUrlError:
        return
    with pytest.raises(OSError):
        socket.inet_aton(read)
    with pytest.raises(ValueError):
        ipaddress.ip_address(read)


@pytest.mark.parametrize(
    ("location", "host", "target"),
    [
        ("https://other.example.org/a", "other.example.org", "/a"),
        ("//other.example.org/a", "other.example.org", "/a"),
        ("/a?b", "photos.example.org", "/a?b"),
        ("a", "photos.example.org", "/dogs/a"),
        ("../a", "photos.example.org", "/a"),
    ],
)
def test_a_redirect_may_be_relative(location: str, host: str, target: str) -> None:
    assert PhotoUrl("photos.example.org", "/dogs/1.jpg").redirected(location) == PhotoUrl(host, target)


@pytest.mark.parametrize(
    "location",
    ["http://photos.example.org/", "https://10.0.0.1/", "//10.0.0.1", "\\\\10.0.0.1", "//a@b.example.org", "h\xfc"],
)
def test_a_redirect_is_read_as_strictly(location: str) -> None:
    with pytest.raises(PhotoUrlError):
        PhotoUrl("photos.example.org", "/").redirected(location)


@pytest.mark.parametrize(
    ("listed", "host", "allowed"),
    [
        ("", "photos.example.org", False),
        ("photos.example.org", "photos.example.org", True),
        ("photos.example.org", "a.photos.example.org", False),
        ("photos.example.org", "example.org", False),
        ("photos.example.org", "evilphotos.example.org", False),
        ("photos.example.org", "photos.example.org.evil.example", False),
        (".example.org", "photos.example.org", True),
        (".example.org", "a.b.example.org", True),
        (".example.org", "example.org", False),
        (".example.org", "evilexample.org", False),
        ("one.example.org, .example.net ,", "a.example.net", True),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
    ],
)
def test_a_host_is_allowed_exactly_or_below_a_listed_domain(listed: str, host: str, allowed: bool) -> None:
    assert AllowedHosts.parse(listed).allow(host) is allowed


@pytest.mark.parametrize(
    "entry",
    ["com", ".com", "*.example.org", "https://example.org", "example.org/", "example.org.", "EXAMPLE.org", "10.0.0.1"],
)
def test_the_function_and_the_synthesis_refuse_the_same_entries(entry: str) -> None:
    with pytest.raises(ValueError, match="ALLOWED_URL_HOSTS") as caught:
        AllowedHosts.parse(entry)
    assert entry in str(caught.value)
    with pytest.raises(ValueError, match=r"api\.allowed_url_hosts"):
        ApiSettings(allowed_url_hosts=(entry,))


@given(st.from_regex(r"\A\.?([a-z0-9-]{1,5}\.){0,3}[a-z0-9-]{1,4}\.?\Z"))
def test_the_function_accepts_what_the_synthesis_accepts(entry: str) -> None:
    def accepts(read: object) -> bool:
        try:
            read()  # type: ignore[operator]
        except ValueError:
            return False
        return True

    in_function = accepts(lambda: AllowedHosts.parse(entry))
    assert accepts(lambda: ApiSettings(allowed_url_hosts=(entry,))) is in_function
