"""The error of a check for drift."""


class DriftError(Exception):
    """The photos cannot be compared. The message is one sentence: what is wrong, and what to do."""
