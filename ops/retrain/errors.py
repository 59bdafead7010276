"""The error of `kennel retrain`."""


class RetrainError(Exception):
    """The training cannot be started or followed. The message says why, and what to do."""
