"""Which IP addresses are public, by IANA's registries of special addresses.

Python's `is_global` is not enough: it is true for ranges that must be refused, other ones in each version. Some of them
embed another address, such as 64:ff9b::169.254.169.254 (docs/decisions/0110).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_IPV4 = {
    "0.0.0.0/8": "this host",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared behind a carrier's NAT",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local, with AWS's metadata and credentials",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "IETF protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved, with the broadcast address",
}
"""https://www.iana.org/assignments/iana-ipv4-special-registry, and .../ipv4-address-space for the last two."""

_IPV6 = {
    "2001::/23": "IETF protocol assignments, with Teredo and ORCHID",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "AS112",
    "3ffe::/16": "6bone",
    "3fff::/20": "documentation",
}
"""The special ranges within 2000::/3: https://www.iana.org/assignments/iana-ipv6-special-registry"""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 from which public addresses are allocated: https://www.iana.org/assignments/ipv6-address-space
Outside are loopback, the unspecified address, IPv4-mapped and IPv4-compatible ones, NAT64, discard-only, segment
routing, unique local, link-local, site-local and multicast ones."""

_NETWORKS: dict[IPv4Network | IPv6Network, str] = {
    **{IPv4Network(network): what for network, what in _IPV4.items()},
    **{IPv6Network(network): what for network, what in _IPV6.items()},
}


def not_public(address: str) -> str | None:
    """Why the address is not public, or None if it is. address: as `getaddrinfo` returns it, without a name."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return "no IP address"
    if isinstance(parsed, IPv6Address) and (parsed not in _GLOBAL_UNICAST or parsed.scope_id):
        return "outside of 2000::/3"
    return next((what for network, what in _NETWORKS.items() if parsed in network), None)
