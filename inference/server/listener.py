"""The socket on which the server listens."""

import socket

WAITING = 2048
"""Connections that the system queues until they are accepted."""

SEND_BUFFER_BYTES = 64 * 1024
"""Of responses that the system keeps for one connection. Without a limit it keeps up to 4 MB for a caller that does not
read."""

UNREAD_S = 20
"""How long the system keeps a connection whose caller does not acknowledge or read what was sent."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address. Raises OSError if that fails, and OverflowError for an impossible port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only if the protocol is named; it costs 40 ms for each response on a kept
    # connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # accepted sockets inherit both
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_S * 1000)
    try:
        listener.bind((host, port))
        listener.listen(WAITING)  # now: two sockets can be bound to one port, but only one can listen
    except BaseException:
        listener.close()
        raise
    return listener
