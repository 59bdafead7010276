"""The error of `kennel models` and `kennel rollback`."""


class ModelsError(Exception):
    """A version or an endpoint with which the command cannot work. The message says why, and what to do."""
