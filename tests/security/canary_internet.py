"""An internet of its own in a network namespace: every address leads to this process, which notes the connections.

One address of each family is the public host; a connection to any other address is a hit of a canary.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.patience import wait_until
from tests.security.authority import DAY, Authority
from tests.security.name_server import NameServer

PUBLIC_V4, PUBLIC_V6 = "93.184.215.14", "2606:2800:21f:cb07::14"
UNANSWERED = "93.184.215.99"
"""A public address whose host does not answer when a connection is opened."""
LAST = ("10.99.99.99", "fd00::99:99:99")
"""Of connections that this module itself makes."""
PORTS = (443, 80, 9001)
"""Of HTTPS, of HTTP, and of Lambda's runtime API."""
DOMAIN = "photos.example"
PHOTO = b"\xff\xd8\xff\xe0 a photo"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"

Speaks = Callable[[socket.socket], None]


def response(head: bytes = OK, body: bytes = PHOTO) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class CanaryInternet:
    """Set `pages` for what the public host answers: the bytes of a response, or what speaks on the connection."""

    def __init__(self, folder: Path) -> None:
        self.names = NameServer()
        self.names.addresses[f"www.{DOMAIN}"] = [[PUBLIC_V4]]
        self.authority = Authority(folder)
        self.pages: dict[str, bytes | Speaks] = {}
        self._hits: list[tuple[str, int]] = []
        self.requests: list[tuple[str, bytes]] = []
        """Of each request to the public host the name in the TLS handshake, and the head."""
        self.before_tls: Mapping[str, Speaks] = {}
        """By public address: what speaks on a connection instead of TLS."""
        self._servers = {"": self.authority.server([f"*.{DOMAIN}", DOMAIN])}
        self._servers |= {
            f"expired.{DOMAIN}": self.authority.server([f"expired.{DOMAIN}"], ends_in=-DAY),
            f"other-name.{DOMAIN}": self.authority.server(["www.other.example"]),
            f"other-authority.{DOMAIN}": Authority(folder, name="Other").server([f"other-authority.{DOMAIN}"]),
        }
        self._server_names: dict[ssl.SSLObject | ssl.SSLSocket, str] = {}
        self._servers[""].sni_callback = self._choose  # type: ignore[assignment]
        for port in PORTS:
            for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
                self._listen(family, any_address, port)
        self._full = self._full_backlog()

    def hits(self) -> list[tuple[str, int]]:
        """Address and port of each connection to a canary since the last call.

        Each listener accepts in the order of the connections, so once the last ones are here, all are.
        """
        last = [(address, port) for address in LAST for port in PORTS]
        for address_and_port in last:
            socket.create_connection(address_and_port).close()
        assert wait_until(lambda: set(last) <= set(self._hits))
        found = [hit for hit in self._hits if hit not in last]
        self._hits.clear()
        return found

    def _listen(self, family: socket.AddressFamily, address: str, port: int) -> None:
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(512)
        threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()

    def _full_backlog(self) -> list[socket.socket]:
        """Sockets that leave no place for another connection to UNANSWERED: the kernel drops its first packet."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((UNANSWERED, 443))
        listener.listen(0)
        waiting = [listener]
        for _ in range(3):
            opened = socket.socket()
            opened.setblocking(False)
            opened.connect_ex((UNANSWERED, 443))
            waiting.append(opened)
        return waiting

    def _accept(self, listener: socket.socket, port: int) -> None:
        with listener:
            while True:
                connection, _ = listener.accept()
                address = connection.getsockname()[0].partition("%")[0]
                if port == 443 and address in (PUBLIC_V4, PUBLIC_V6, *self.before_tls):
                    threading.Thread(target=self._speak, args=(connection, address), daemon=True).start()
                else:
                    self._hits.append((address, port))
                    connection.close()

    def _choose(self, connection: ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        self._server_names[connection] = name or ""
        connection.context = self._servers.get(name or "", self._servers[""])

    def _speak(self, connection: socket.socket, address: str) -> None:
        with contextlib.suppress(OSError), connection:
            if speaks := self.before_tls.get(address):
                speaks(connection)
                return
            with self._servers[""].wrap_socket(connection, server_side=True) as tls:
                head = b""
                while b"\r\n\r\n" not in head:
                    received = tls.recv(65_536)
                    if not received:
                        return
                    head += received
                self.requests.append((self._server_names.pop(tls, ""), head))
                path = head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]
                page = self.pages.get(path, response())
                if isinstance(page, bytes):
                    tls.sendall(page)
                else:
                    page(tls)
