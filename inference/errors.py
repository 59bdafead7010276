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
