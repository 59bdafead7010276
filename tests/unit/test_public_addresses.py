"""An address is public only if no registry of IANA's says that it is special."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_fn.public_addresses import not_public
from tests.security.special_ranges import METADATA, PUBLIC, WELL_KNOWN, addresses, embeddings


@pytest.mark.parametrize(("network", "within"), addresses().items())
def test_no_address_of_a_special_range_is_public(network: str, within: list[str]) -> None:
    assert [address for address in within if not not_public(address)] == []


@pytest.mark.parametrize("address", [*WELL_KNOWN, *embeddings(METADATA).values(), *embeddings("10.0.0.1").values()])
def test_the_addresses_of_metadata_and_credentials_are_not_public(address: str) -> None:
    assert not_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    assert not_public(address) is None


@pytest.mark.parametrize("text", ["", "dogs", "127.1", "0x7f000001", "2130706433", "10.0.0.1/8", "[::1]", "::1%lo%lo"])
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert not_public(text) == "no IP address"


@pytest.mark.parametrize("address", ["fe80::1%lo", "2606:4700::1%lo", "2606:4700::1%1"])
def test_an_address_of_one_interface_is_not_public(address: str) -> None:
    assert not_public(address)


@given(st.ip_addresses())
def test_it_is_never_more_permissive_than_python(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not_public(str(address))


def test_python_alone_would_let_special_addresses_pass() -> None:
    """If this fails, `is_global` may have become enough."""
    all_addresses = {address for within in addresses().values() for address in within}
    passed = [address for address in all_addresses if ipaddress.ip_address(address).is_global]

    assert len(passed) >= 10
