"""Run a command in a network namespace without the internet, and print to which addresses anything tried to send.

    unshare --user --map-root-user --net python -m tests.rehearsal.watched_network COMMAND ...

The default route leads to an interface on which every packet is seen.
"""

import ipaddress
import json
import socket
import subprocess
import sys
import threading

ROUTES = """
ip link set lo up
ip link add out type veth peer name far
ip link set out up
ip link set far up
ip addr add 10.99.0.2/24 dev out
ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:01 dev out nud permanent
ip route add default via 10.99.0.1
"""
EVERY_PROTOCOL = 3
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"


class Watch:
    """The addresses to which packets were sent. The kernel's own multicast is left out."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
        self._socket.bind(("out", 0))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            frame = self._socket.recv(65536)
            kind, packed = frame[12:14], frame[30:34] if frame[12:14] == IPV4 else frame[38:54]
            if kind in (IPV4, IPV6) and not ipaddress.ip_address(packed).is_multicast:
                self.addresses.add(str(ipaddress.ip_address(packed)))


def main() -> int:
    subprocess.run(["sh", "-euc", ROUTES], check=True)
    watch = Watch()
    code = subprocess.run(sys.argv[1:], check=False).returncode
    print(json.dumps(sorted(watch.addresses)))
    return code


if __name__ == "__main__":
    sys.exit(main())
