"""What the server answers instead of predictions: the HTTP status, the code and the sentence of each refusal."""

from collections.abc import Mapping
from typing import Self

from inference.photo.errors import Kind, PhotoError

REFUSED = "kennel.refused"
"""A key in the state of a request's ASGI scope: the code with which the protocol refused it while its body arrived."""


class RequestError(Exception):
    """A request that the server refuses.

    `status` is the HTTP status, `code` a stable word for programs, and the message one sentence for people: what is
    wrong, with which value, and what to do. It never contains a path or a traceback.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @classmethod
    def of_photo(cls, error: PhotoError) -> Self:
        """The refusal of a photo that cannot be decoded; its code is the error's kind."""
        return cls(STATUS_OF_PHOTO[error.kind], error.kind, error.message)


class BusyError(RequestError):
    """A request that cannot be answered in time. The caller may send it again after `retry_after_s` whole seconds."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(429, "busy", message)
        self.retry_after_s = retry_after_s


STATUS_OF_PHOTO: Mapping[Kind, int] = {
    "empty": 400,
    "too_many_pixels": 413,
    "not_a_photo": 415,
    "broken_photo": 422,
    "too_many_parts": 422,
    "too_many_scans": 422,
    "too_narrow": 422,
}
"""The HTTP status of each kind of PhotoError."""
