"""The error that decoding raises. It has no HTTP status: inference/server/errors.py maps each kind to one."""

from typing import Literal

Kind = Literal[
    "empty", "not_a_photo", "broken_photo", "too_many_parts", "too_many_pixels", "too_narrow", "too_many_scans"
]


class PhotoError(Exception):
    """Bytes that cannot be decoded as a photo.

    `kind` says why, for programs. The message is one sentence for people: what is wrong, with which value, and what to
    do. It never contains a path or a traceback.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
