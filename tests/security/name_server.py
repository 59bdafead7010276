"""A DNS server whose answers change from one question to the next."""

import contextlib
import ipaddress
import socket
import struct
import threading
from collections import Counter
from collections.abc import Sequence

A, CNAME, AAAA = 1, 5, 28
NXDOMAIN = 3


class NameServer:
    """Answers A and AAAA questions over UDP, at 127.0.0.1."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self.addresses: dict[str, Sequence[Sequence[str]]] = {}
        """Of each name the addresses: those of the first look-up, of the second, and so on; the last ones stay."""
        self.aliases: dict[str, str] = {}
        self.silent: set[str] = set()
        """Names about which it answers nothing."""
        self.questions: Counter[tuple[str, int]] = Counter()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                question, sender = self._socket.recvfrom(4096)
                if answer := self._answer(question):
                    self._socket.sendto(answer, sender)

    def _answer(self, question: bytes) -> bytes | None:
        labels, place = [], 12
        while length := question[place]:
            labels.append(question[place + 1 : place + 1 + length].decode("latin-1").lower())
            place += 1 + length
        name, kind = ".".join(labels), struct.unpack_from("!H", question, place + 1)[0]
        self.questions[name, kind] += 1
        if name in self.silent:
            return None
        records, owner = [], b"\xc0\x0c"  # the name in the question
        alias = self.aliases.get(name)
        if alias is not None:
            target = b"".join(bytes([len(part)]) + part.encode() for part in alias.split(".")) + b"\0"
            records.append((owner, CNAME, target))
            owner = target
        lookups = self.addresses.get(alias or name)
        if lookups is not None:
            found = lookups[min(self.questions[name, kind], len(lookups)) - 1]
            version = {A: 4, AAAA: 6}.get(kind)
            parsed = map(ipaddress.ip_address, found)
            records += [(owner, kind, address.packed) for address in parsed if address.version == version]
        known = lookups is not None or alias is not None
        head = question[:2] + struct.pack("!5H", 0x8580 if known else 0x8580 | NXDOMAIN, 1, len(records), 0, 0)
        body = b"".join(of + struct.pack("!HHIH", type_, 1, 0, len(data)) + data for of, type_, data in records)
        return head + question[12 : place + 5] + body
