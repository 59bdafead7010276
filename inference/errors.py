"""What a caller can get wrong, as one exception that knows its HTTP status."""


class RequestError(Exception):
    """A request that cannot be answered through the caller's doing.

    `status` is the HTTP status (4xx), `code` a stable word for programs, and the message one sentence for people:
    what is wrong, with which value, and what to do. It never holds a path or a traceback.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class BusyError(RequestError):
    """More is asked than can be answered in time. `retry_after_s` whole seconds are worth waiting."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(429, "busy", message)
        self.retry_after_s = retry_after_s
