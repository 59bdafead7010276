"""The address ranges that are not public, copied from IANA's registries on 2026-11-22, and addresses in each.

https://www.iana.org/assignments/iana-ipv4-special-registry, iana-ipv6-special-registry, ipv4-address-space and
ipv6-address-space. It is written apart from lambda_fn/public_addresses.py, which refuses most of IPv6 by one rule.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

RANGES = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/31", "192.0.2.0/24"),
    *("192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"),
    *("::/128", "::1/128", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64"),
    *("100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48"),
    *("2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16"),
    *("2620:4f:8000::/48", "3ffe::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fd00:ec2::/32", "fe80::/10"),
    *("fec0::/10", "ff00::/8"),
)
METADATA = "169.254.169.254"
WELL_KNOWN = (
    *(METADATA, "169.254.170.2", "169.254.170.23", "169.254.100.1", "169.254.79.129", "169.254.100.5", "127.0.0.1"),
    *("127.0.0.53", "10.0.0.1", "10.255.255.254", "172.31.0.2", "192.168.1.1", "fd00:ec2::254", "fd00:ec2::23", "::1"),
)
"""Where AWS's instances, containers and functions have metadata, credentials, the runtime API and DNS."""
PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "52.94.236.248", "93.184.215.14", "100.63.255.254"),
    *("100.128.0.1", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"),
    *("191.255.255.255", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"),
    *("198.51.99.255", "203.0.114.0", "223.255.255.255", "2001:200::", "2001:4860:4860::8888", "2003::1"),
    *("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2600:1f18::1", "2a00:1450:4001:80e::200e", "3ffd::1", "3fff:1000::1"),
)
"""Among them both neighbours of each larger range: a range that is too wide refuses one of them."""


def addresses() -> dict[str, list[str]]:
    """Of each range the first, the last and a middle address, and the well-known ones in it."""
    found = {}
    for text in RANGES:
        network = ip_network(text)
        chosen = {network[0], network[-1], network[network.num_addresses // 3]}
        chosen |= {ip_address(known) for known in WELL_KNOWN if ip_address(known) in network}
        found[text] = [str(address) for address in sorted(chosen, key=int)]
    return found


def embeddings(address: str) -> dict[str, str]:
    """IPv6 addresses in which an IPv4 address is embedded: a translator or a tunnel on the way would use that one."""
    inner = int(IPv4Address(address))

    def at(prefix: str, shift: int) -> str:
        return str(IPv6Address(int(IPv6Network(prefix)[0]) | inner << shift))

    return {
        "mapped": at("::ffff:0:0/96", 0),
        "compatible": at("::/96", 0),
        "translated": at("::ffff:0:0:0/96", 0),
        "NAT64": at("64:ff9b::/96", 0),
        "local NAT64": at("64:ff9b:1::/48", 0),
        "6to4": at("2002::/16", 80),
        "Teredo's server": at("2001::/32", 64),
        "Teredo's client": str(IPv6Address(int(IPv6Address("2001::")) | (inner ^ 0xFFFFFFFF))),
    }
