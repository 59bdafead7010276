"""Why an endpoint could not be started or updated."""


class HostingError(Exception):
    """The message is the endpoint's FailureReason."""
