"""Fetch photos by hostile URLs, names and redirects, in an internet in which every address is a canary.

    sh tests/security/in_canary_internet.sh FOLDER python -m tests.security.url_attacks FOLDER [--all]

It prints a JSON object: how many attacks of each kind were made, how they ended, and the connections to canaries.
"""

import contextlib
import importlib
import io
import ipaddress
import itertools
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from lambda_fn import bounded, remote_photo
from lambda_fn.deadline import Deadline
from lambda_fn.errors import ServiceError
from lambda_fn.photo_url import AllowedHosts
from lambda_fn.public_addresses import not_public
from lambda_fn.request_log import RequestLog
from lambda_fn.settings import Settings
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime
from tests.rehearsal.container import serving
from tests.security import hostile_bodies
from tests.security.canary_internet import DOMAIN, PHOTO, PUBLIC_V4, PUBLIC_V6, UNANSWERED, CanaryInternet
from tests.security.hostile_bodies import redirect
from tests.security.special_ranges import WELL_KNOWN, addresses, embeddings
from tests.security.url_spellings import spellings

ALLOWED = f"www.{DOMAIN}"
SETTINGS = Settings(endpoint_name="dogs", allowed_url_hosts=AllowedHosts.parse(f".{DOMAIN}"))
STATUSES = (301, 302, 303, 307, 308)
REDIRECTS = 3


def ending(url: str) -> str:
    """`photo`, `bytes` for other ones, or the code of the error."""
    try:
        body = remote_photo.fetch(url, settings=SETTINGS, deadline=Deadline(time.monotonic() + 60), log=RequestLog())
    except ServiceError as error:
        return error.fault.code
    return "photo" if body == PHOTO else "bytes"


class Attacks:
    """thorough: every address of `special_ranges`, and every status and length of a redirect."""

    def __init__(self, internet: CanaryInternet, *, thorough: bool) -> None:
        self._internet, self._thorough = internet, thorough
        ranges = addresses()
        chosen = [address for within in ranges.values() for address in (within if thorough else within[-1:])]
        self.addresses = list(dict.fromkeys([*WELL_KNOWN, *chosen]))
        self._numbers = itertools.count()

    def run(self) -> dict[str, Counter[str]]:
        """For each kind of attack how many ended in which way."""
        kinds: dict[str, Callable[[], Iterator[str]]] = {
            "URL": self._by_url,
            "redirect to a URL": self._by_redirect,
            "name": self._by_name,
            "redirect to a name": self._by_redirect_to_name,
            "rebinding": self._by_rebinding,
            "rebinding and a redirect": self._by_rebinding_and_redirect,
        }
        return {kind: Counter(ending(url) for url in urls()) for kind, urls in kinds.items()}

    def _by_url(self) -> Iterator[str]:
        for address in self.addresses:
            yield from spellings(address, ALLOWED).values()

    def _by_redirect(self) -> Iterator[str]:
        chains = list(itertools.product(STATUSES, range(1, REDIRECTS + 1)))
        rotation = itertools.cycle(chains)
        for address in self.addresses:
            every = self._thorough and address in WELL_KNOWN
            for number, place in enumerate(spellings(address, ALLOWED).values()):
                if self._thorough or number % 8 == self.addresses.index(address) % 8:
                    for status, hops in chains if every else [next(rotation)]:
                        yield self.chain(place, status, hops)

    def _by_name(self) -> Iterator[str]:
        for lookup in self._lookups():
            yield f"https://{self._name([lookup])}/"
        for address in self.addresses:
            yield f"https://{self._alias(address)}/"

    def _by_redirect_to_name(self) -> Iterator[str]:
        for number, lookup in enumerate(self._lookups()):
            place = f"{'https:' if number % 2 else ''}//{self._name([lookup])}/"
            yield self.chain(place, STATUSES[number % 5], 1 + number % REDIRECTS)

    def _by_rebinding(self) -> Iterator[str]:
        """The first look-up is public and the second one is not: a fetch that looks up twice connects to a canary."""
        for address in self.addresses:
            yield f"https://{self.rebound(address)}/"
            yield f"https://{self._name([[PUBLIC_V6, PUBLIC_V4], [address, PUBLIC_V4]])}/"

    def _by_rebinding_and_redirect(self) -> Iterator[str]:
        """A host that redirects to itself, when its name has another address."""
        for address in self.addresses:
            name = self._name([[PUBLIC_V4], [address]])
            path = self._page(redirect(f"https://{name}/dog.jpg"))
            yield f"https://{name}{path}"
            name = self._name([[PUBLIC_V4], [PUBLIC_V4], [PUBLIC_V4, address]])
            first = self._page(redirect(self._page(redirect("/dog.jpg"))))
            yield f"https://{name}{first}"

    def rebound(self, address: str) -> str:
        return self._name([[PUBLIC_V4], [address]])

    def _lookups(self) -> Iterator[list[str]]:
        """Answers of the name server with an address that is not public, alone and beside public ones."""
        for number, address in enumerate(self.addresses):
            yield [address]
            yield [PUBLIC_V4, PUBLIC_V6, address]
            yield [address, PUBLIC_V4]
            if ipaddress.ip_address(address).version == 4:
                embedded = list(embeddings(address).values())
                for other in embedded if self._thorough else [embedded[number % len(embedded)]]:
                    yield [PUBLIC_V4, other]

    def _name(self, lookups: list[list[str]]) -> str:
        name = f"a{next(self._numbers)}.{DOMAIN}"
        self._internet.names.addresses[name] = lookups
        return name

    def _alias(self, address: str) -> str:
        target = f"b{next(self._numbers)}.other.example"
        self._internet.names.addresses[target] = [[address]]
        name = f"c{next(self._numbers)}.{DOMAIN}"
        self._internet.names.aliases[name] = target
        return name

    def _page(self, page: bytes) -> str:
        path = f"/{next(self._numbers)}"
        self._internet.pages[path] = page
        return path

    def chain(self, place: str, status: int, hops: int) -> str:
        """A URL that leads to `place` by this number of redirects."""
        for _ in range(hops):
            place = f"https://{ALLOWED}{self._page(redirect(place, status=status))}"
        return place


def unguarded(internet: CanaryInternet, attacks: Attacks, check: Callable[[str], str | None]) -> list[str]:
    """The addresses that are reached, by name, when `check` decides which addresses are public."""
    with patch.object(remote_photo, "not_public", check):
        for address in attacks.addresses:
            name = f"u{len(internet.names.addresses)}.{DOMAIN}"
            internet.names.addresses[name] = [[address]]
            ending(f"https://{name}/")
    return sorted({address for address, _ in internet.hits()})


def not_listed(internet: CanaryInternet, attacks: Attacks) -> dict[str, Any]:
    """How the fetch of a public host ends that is not listed: directly and after a redirect, and its requests."""
    for name in ("www.other.example", DOMAIN):
        internet.names.addresses[name] = [[PUBLIC_V4]]
    urls = [f"https://{host}/dog.jpg" for host in ("www.other.example", DOMAIN)]
    ends = [ending(url) for url in (*urls, *(attacks.chain(url, 302, count) for url in urls for count in (1, 3)))]
    return {"ends": ends, "questions": sum(internet.names.questions[host, 1] for host in ("www.other.example", DOMAIN))}


def looked_up_twice(attacks: Attacks) -> int:
    """How many names lead a program to a canary that checks their addresses, and then connects by name."""
    hits = 0
    for address in attacks.addresses:
        name = attacks.rebound(address)
        for *_, found in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM):
            if not_public(str(found[0])):
                break
        else:
            with contextlib.suppress(OSError), socket.create_connection((name, 443), timeout=5) as sock:
                hits += sock.getpeername()[0] != PUBLIC_V4
    return hits


def naive(attacks: Attacks) -> int:
    """How many URLs lead a program to a canary that connects to whatever host `urlsplit` finds in them."""
    hits = 0
    for address in attacks.addresses:
        for url in spellings(address, ALLOWED).values():
            try:
                parts = urlsplit(url)
                with socket.create_connection((parts.hostname or "", parts.port or 443), timeout=5) as sock:
                    hits += sock.getpeername()[0] not in (PUBLIC_V4, PUBLIC_V6)
            except (OSError, ValueError):
                continue
    return hits


def bodies(internet: CanaryInternet) -> dict[str, Any]:
    """Each hostile response at once: how it ended and was expected to, after how long and how many bytes."""
    read: Counter[Any] = Counter()
    count = bounded._Call.count

    def counted(call: Any, size: int) -> None:
        read[call] += size
        count(call, size)

    garbage = hostile_bodies.floods(b"\x16\x03\x03\x40\x00", bytes(999))
    for number, speaks in enumerate((hostile_bodies.nothing, garbage)):
        address = f"93.184.215.{20 + number}"
        internet.before_tls = {**internet.before_tls, address: speaks}
        internet.names.addresses[f"handshake-{number}.{DOMAIN}"] = [[address]]
    internet.names.addresses[f"unanswered.{DOMAIN}"] = [[UNANSWERED]]
    internet.names.addresses[f"half-answered.{DOMAIN}"] = [[UNANSWERED, PUBLIC_V4]]
    internet.names.silent.add(f"silent.{DOMAIN}")
    time_or_failure = (*hostile_bodies.TIME, *hostile_bodies.FAILED)
    cases = {
        "slow: handshake": (f"https://handshake-0.{DOMAIN}/", hostile_bodies.TIME),
        "endless: handshake": (f"https://handshake-1.{DOMAIN}/", time_or_failure),
        "slow: connection": (f"https://unanswered.{DOMAIN}/", hostile_bodies.TIME),
        "slow: one of two addresses": (f"https://half-answered.{DOMAIN}/", ("photo",)),
        "slow: name server": (f"https://silent.{DOMAIN}/", time_or_failure),
    }
    for kind, found in hostile_bodies.KINDS.items():
        for what, (page, expected) in found.items():
            path = f"/{kind}/{what.replace(' ', '-').replace('/', '-')}"
            internet.pages[path] = page
            cases[f"{kind}: {what}"] = (f"https://{ALLOWED}{path}", expected)
    internet.pages["/slow/redirects"] = hostile_bodies.SLOW["redirects"][0]
    internet.pages["/endless/redirects"] = hostile_bodies.ENDLESS["redirects"][0]
    ends: dict[str, Any] = {}

    def one(name: str, url: str, expected: tuple[str, ...]) -> None:
        began = time.monotonic()
        ended = ending(url)
        ends[name] = {"ended": ended, "expected": expected, "s": round(time.monotonic() - began, 2)}

    threads = [threading.Thread(target=one, args=(name, *case)) for name, case in cases.items()]
    with patch.object(bounded._Call, "count", counted):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    hostile_bodies.ENDED.set()
    return {"ends": ends, "most_bytes": max(read.values())}


def through_the_function() -> dict[str, Any]:
    """The response to an event with a URL, the function's line in the log, and what the endpoint's container got."""
    with serving() as container, SageMakerRuntime({"dogs": container.url}) as runtime:
        os.environ |= {
            "ENDPOINT_NAME": "dogs",
            "ALLOWED_URL_HOSTS": f".{DOMAIN}",
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": runtime.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        handler = importlib.import_module("lambda_fn.handler").handler
        with contextlib.redirect_stdout(io.StringIO()) as log:
            response = handler({"url": f"https://{ALLOWED}/dog.jpg?token=s3cret", "top_k": 3}, None)
            refused = handler({"url": f"https://{ALLOWED}.other.example/dog.jpg"}, None)
        (headers, body) = container.requests[0]
        return {
            "response": response,
            "refused": refused,
            "log": [json.loads(line) for line in log.getvalue().splitlines()],
            "sent": [headers["content-type"], body.hex()],
            "requests": len(container.requests),
        }


def main() -> None:
    folder, thorough = Path(sys.argv[1]), "--all" in sys.argv
    internet = CanaryInternet(folder)
    os.environ["SSL_CERT_FILE"] = str(internet.authority.certificate)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ[name] = os.environ[name.upper()] = "http://127.0.0.1:9001"
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"  # for boto3, which asks the endpoint there
    attacks = Attacks(internet, thorough=thorough)
    result: dict[str, Any] = {"addresses": len(attacks.addresses)}
    result["certificates"] = {
        name: ending(f"https://{name}.{DOMAIN}/") for name in hosts_with_wrong_certificates(internet)
    }
    result["good"] = ending(f"https://{ALLOWED}/dog.jpg?size=1#top")
    result["redirects"] = [ending(attacks.chain(f"https://{ALLOWED}/dog.jpg", 302, count)) for count in range(1, 6)]
    result["not_listed"] = not_listed(internet, attacks)
    result["requests"] = [(name, head.decode()) for name, head in internet.requests]
    result["search_list"] = ending(f"https://unknown.{DOMAIN}/")
    result["searched"] = [name for name, _ in internet.names.questions if name.endswith("internal.example")]
    result["attacks"] = {kind: dict(ends) for kind, ends in attacks.run().items()}
    result["function"] = through_the_function()
    result["bodies"] = bodies(internet)
    result["hits"] = internet.hits()
    result["reached_unguarded"] = unguarded(internet, attacks, lambda _: None)
    result["reached_with_is_global"] = unguarded(
        internet, attacks, lambda address: None if ipaddress.ip_address(address).is_global else "not global"
    )
    result["hits_if_looked_up_twice"] = looked_up_twice(attacks)
    result["naive_hits"] = naive(attacks) if thorough else None
    print(json.dumps(result), flush=True)
    os._exit(0)  # the threads of the servers wait for connections


def hosts_with_wrong_certificates(internet: CanaryInternet) -> list[str]:
    names = ["expired", "other-name", "other-authority"]
    for name in names:
        internet.names.addresses[f"{name}.{DOMAIN}"] = [[PUBLIC_V4]]
    return names


if __name__ == "__main__":
    main()
