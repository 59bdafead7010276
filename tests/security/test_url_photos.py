"""A URL leads the function to no address but a public one, and nothing that a host sends keeps it or fills its memory.

The attacks are made in a network namespace in which every address of IPv4 and IPv6 is a canary, with a DNS server and a
certificate authority of its own: tests/security/url_attacks.py.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lambda_fn.bounded import HEAD_BYTES
from lambda_fn.photo import MAX_BYTES
from lambda_fn.remote_photo import HEADERS, MAX_S
from tests.patience import PATIENCE_S
from tests.rehearsal.container import ANSWER
from tests.security.canary_internet import PHOTO

ROOT = Path(__file__).parents[2]
REFUSED_BY_THE_MACHINE = 97
IMPORTANT = {"169.254.169.254", "169.254.170.2", "169.254.100.1", "127.0.0.1", "10.0.0.1", "fd00:ec2::254", "::1"}
READ_AHEAD = 65_536
"""At most this is read beyond the limit, in one operation."""
BOUND_S = 20.0
"""Far more than MAX_S, for a busy machine, and far less than what the hosts take."""


def attacked(folder: Path, *options: str) -> dict[str, Any]:
    """What the attacks led to. Skips the test where this machine does not allow the namespaces."""
    missing = [program for program in ("unshare", "ip", "mount") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"`{missing[0]}` is not installed.")
    namespaces = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
    program = [sys.executable, "-m", "tests.security.url_attacks", str(folder), *options]
    ran = subprocess.run(
        [*namespaces, "sh", str(ROOT / "tests/security/in_canary_internet.sh"), str(folder), *program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S * 4,
    )
    if ran.returncode == REFUSED_BY_THE_MACHINE or ran.stderr.startswith("unshare:"):
        pytest.skip(f"This machine does not allow namespaces: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr[-4000:]
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.fixture(scope="module")
def everyday(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return attacked(tmp_path_factory.mktemp("internet"))


def check_attacks(found: dict[str, Any]) -> Counter[str]:
    """Compare how the attacks ended with what must happen; returns how many there were of each kind."""
    ends = {kind: set(endings) for kind, endings in found["attacks"].items()}

    assert found["hits"] == []
    assert ends.pop("URL") == {"url_invalid"}
    # some spellings are, after a redirect, paths on the host itself: it is asked for them
    assert ends.pop("redirect to a URL") == {"url_forbidden", "photo"}
    assert ends.pop("rebinding") == {"photo"}  # from the first, checked address
    assert ends == {kind: {"url_forbidden"} for kind in ("name", "redirect to a name", "rebinding and a redirect")}
    return Counter({kind: sum(endings.values()) for kind, endings in found["attacks"].items()})


def check_bodies(found: dict[str, Any]) -> None:
    wrong = {name: end for name, end in found["bodies"]["ends"].items() if end["ended"] not in end["expected"]}

    assert wrong == {}
    assert max(end["s"] for end in found["bodies"]["ends"].values()) < BOUND_S
    assert found["bodies"]["most_bytes"] <= MAX_BYTES + HEAD_BYTES + READ_AHEAD


def figures(found: dict[str, Any]) -> str:
    attacks = check_attacks(found)
    ends = found["bodies"]["ends"]
    slowest = max(ends, key=lambda name: ends[name]["s"])
    return (
        f"{attacks.total():,} attacks ({', '.join(f'{count:,} by {kind}' for kind, count in attacks.items())}) with "
        f"{found['addresses']} addresses: {len(found['hits'])} hits. {len(ends)} hostile responses: slowest "
        f"{ends[slowest]['s']:.2f} s ({slowest}), most bytes {found['bodies']['most_bytes']:,}. Without a guard "
        f"{len(found['reached_unguarded'])} addresses are reached, with is_global "
        f"{len(found['reached_with_is_global'])}, with a second look-up {found['hits_if_looked_up_twice']}. URLs that "
        f"a naive program follows to a canary: {found['naive_hits']}."
    )


def test_no_url_name_or_redirect_reaches_an_address_that_is_not_public(everyday: dict[str, Any]) -> None:
    attacks = check_attacks(everyday)

    print(figures(everyday))
    assert attacks["URL"] > 3000
    assert attacks.total() > 4500
    assert everyday["addresses"] > 60


def test_the_canaries_are_alive(everyday: dict[str, Any]) -> None:
    """Without the check of addresses they are reached, except those that the kernel connects to nothing."""
    assert set(everyday["reached_unguarded"]) > IMPORTANT
    assert len(everyday["reached_unguarded"]) > 0.8 * everyday["addresses"]
    assert len(everyday["reached_with_is_global"]) > 5
    assert everyday["hits_if_looked_up_twice"] > 50


def test_hostile_responses_end_in_time_and_within_the_limit(everyday: dict[str, Any]) -> None:
    check_bodies(everyday)

    assert MAX_S < 5
    assert len(everyday["bodies"]["ends"]) > 50


def test_the_certificate_must_be_for_the_host_and_the_handshake_names_it(everyday: dict[str, Any]) -> None:
    assert everyday["certificates"] == dict.fromkeys(["expired", "other-name", "other-authority"], "url_failed")
    assert everyday["good"] == "photo"
    (server_name, head) = everyday["requests"][0]
    assert server_name == "www.photos.example"
    wrong = {f"{name}.photos.example" for name in everyday["certificates"]}
    assert not wrong & {name for name, _ in everyday["requests"]}  # nothing was sent to them
    assert head.split("\r\n")[:2] == ["GET /dog.jpg?size=1 HTTP/1.1", "Host: www.photos.example"]
    assert {line.partition(":")[0] for line in head.split("\r\n")[1:] if line} == {"Host", *HEADERS}


def test_at_most_three_redirects_are_followed(everyday: dict[str, Any]) -> None:
    assert everyday["redirects"] == ["photo", "photo", "photo", "url_failed", "url_failed"]


def test_a_public_host_that_is_not_listed_is_neither_looked_up_nor_asked(everyday: dict[str, Any]) -> None:
    assert everyday["not_listed"] == {"ends": ["url_forbidden"] * 6, "questions": 0}


def test_a_name_is_looked_up_as_it_is(everyday: dict[str, Any]) -> None:
    """The resolver's search list would make another name of it, such as one of the network that it runs in."""
    assert everyday["search_list"] == "url_failed"
    assert everyday["searched"] == []


def test_the_photo_goes_the_way_of_every_other_photo(everyday: dict[str, Any]) -> None:
    found = everyday["function"]

    assert found["response"]["statusCode"] == 200
    assert json.loads(found["response"]["body"])["predictions"] == ANSWER["predictions"]
    assert found["sent"] == ["image/jpeg", PHOTO.hex()]
    assert found["requests"] == 1
    assert found["refused"]["statusCode"] == 403
    assert "api.allowed_url_hosts" in found["refused"]["body"]
    (line, refused) = found["log"]
    assert (line["source"], line["bytes"], line["status"]) == ("url", len(PHOTO), 200)
    assert "s3cret" not in json.dumps(found["log"])  # of the query
    assert refused["causes"] == ["_FetchError: www.photos.example.other.example is not allowed"]


@pytest.mark.slow
def test_no_attack_of_the_whole_product_reaches_an_address(tmp_path: Path) -> None:
    found = attacked(tmp_path, "--all")

    print(figures(found))
    assert check_attacks(found).total() > 25_000
    check_bodies(found)
    assert found["addresses"] > 120
    assert found["naive_hits"] > 1000
