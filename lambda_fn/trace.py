"""X-Ray subsegments of a request, sent to the daemon that Lambda runs beside the function: one UDP datagram each.

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

import contextlib
import json
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass

HEADER = b'{"format": "json", "version": 1}\n'
NAME = "handler"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a request. after_s: since the request began; failed: it ended with an exception."""

    name: str
    after_s: float
    seconds: float
    failed: bool


def send(stages: Iterable[Stage], *, began_at: float, seconds: float, status: int, code: str) -> None:
    """Send the request as a subsegment of Lambda's own segment, with its stages in it, if X-Ray samples the call.

    began_at: seconds since 1970. code: `ok` or the fault's code, by which X-Ray finds traces.
    Never fails: a datagram that cannot be sent is lost.
    """
    # Lambda sets the variable before each call
    parent = dict(part.partition("=")[::2] for part in os.environ.get("_X_AMZN_TRACE_ID", "").split(";"))
    if not _DAEMON or parent.get("Sampled") != "1" or not parent.get("Root") or not parent.get("Parent"):
        return
    document = {
        "type": "subsegment",
        "trace_id": parent["Root"],
        "parent_id": parent["Parent"],
        **_subsegment(NAME, began_at, seconds),
        "error": 400 <= status < 500,
        "fault": status >= 500,
        "annotations": {"code": code},
        "subsegments": [
            {**_subsegment(stage.name, began_at + stage.after_s, stage.seconds), "fault": stage.failed}
            for stage in stages
        ],
    }
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        datagrams.sendto(HEADER + json.dumps(document).encode(), _DAEMON)


def _subsegment(name: str, began_at: float, seconds: float) -> dict[str, object]:
    return {"id": os.urandom(8).hex(), "name": name, "start_time": began_at, "end_time": began_at + seconds}


def _address(text: str) -> tuple[str, int] | None:
    """Host and port of `169.254.79.129:2000`, which Lambda sets where tracing is on."""
    host, _, port = text.rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else None


_DAEMON = _address(os.environ.get("AWS_XRAY_DAEMON_ADDRESS", ""))
