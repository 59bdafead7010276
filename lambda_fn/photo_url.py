"""Read the URL of a photo, and compare its host with those that the settings allow.

A URL in another spelling is refused, and never corrected: two programs that correct it in two ways connect to two hosts
(docs/decisions/0109).
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin

MAX_CHARACTERS = 2048
_FORBIDDEN = re.compile(r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]")
"""What RFC 3986 allows nowhere in a URL: https://www.rfc-editor.org/rfc/rfc3986#section-2"""
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])")
"""At least two labels. The last one starts with a letter, which no spelling of an IP address does."""
MAX_HOST_CHARACTERS = 253


class PhotoUrlError(ValueError):
    """The URL is not accepted. The message is one sentence for the caller."""


@dataclass(frozen=True, slots=True)
class PhotoUrl:
    host: str
    """In lower case, with at least one dot, none at the end."""
    target: str
    """Path and query, as they are sent."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parts of `https://host/path?query`; a fragment is left out. Raises PhotoUrlError."""
        if len(text) > MAX_CHARACTERS:
            raise PhotoUrlError(f"The URL has {len(text):,} characters, and may have {MAX_CHARACTERS:,}.")
        parts = _URL.fullmatch(_clean(text))
        if not parts or parts["scheme"].lower() != "https":
            raise PhotoUrlError("The URL must start with https:// and name a host.")
        authority = parts["authority"].lower()
        if "@" in authority:
            raise PhotoUrlError("The URL contains a user name or password before the host. Leave it out.")
        host = authority.removesuffix(":443")
        if ":" in host and "[" not in host:
            raise PhotoUrlError("The URL names a port. Only 443 is used: leave it out.")
        if not is_host(host):
            raise PhotoUrlError(
                "The URL's host must be a DNS name such as photos.example.org: no IP address in any spelling, and no "
                "dot at its end."
            )
        target = parts["target"]
        return cls(host, target if target.startswith("/") else f"/{target}")

    def redirected(self, location: str) -> Self:
        """The URL that a redirect's Location leads to, which may be relative. Raises PhotoUrlError."""
        try:
            return self.parse(urljoin(f"https://{self.host}{self.target}", _clean(location)))
        except PhotoUrlError:
            raise
        except ValueError as error:  # of urljoin, about brackets
            raise PhotoUrlError("The host redirects to a text that is not a URL.") from error


def _clean(text: str) -> str:
    """The text, if RFC 3986 allows each of its characters. `urljoin` removes some that it does not allow."""
    if found := _FORBIDDEN.search(text):
        raise PhotoUrlError(
            f"The URL contains {found[0]!a}, which no URL may contain. Percent-encode it in the path, and write the "
            "host in its ASCII form (xn--)."
        )
    return text


def is_host(text: str) -> bool:
    """Whether it is a full DNS name in lower case: neither an IP address nor a top-level domain alone."""
    return len(text) <= MAX_HOST_CHARACTERS and _HOST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """`photos.example.org` allows that host alone, `.example.org` every host below that domain."""

    entries: tuple[str, ...] = ()

    @classmethod
    def parse(cls, listed: str) -> Self:
        """Comma-separated entries. Raises ValueError, with the entry, for what is neither."""
        entries = tuple(entry.strip() for entry in listed.split(",") if entry.strip())
        for entry in entries:
            if not is_host(entry.removeprefix(".")):
                raise ValueError(
                    f"ALLOWED_URL_HOSTS contains {entry!r}; each entry must look like photos.example.org or "
                    ".example.org."
                )
        return cls(entries)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def allow(self, host: str) -> bool:
        return any(host.endswith(entry) if entry.startswith(".") else host == entry for entry in self.entries)


NO_HOSTS = AllowedHosts()
