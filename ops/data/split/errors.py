"""Why a folder cannot be split."""


class SplitError(Exception):
    """A folder of photos cannot be split, or the result cannot be written. The message says why, and what to do."""
