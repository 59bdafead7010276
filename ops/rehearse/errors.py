"""Why a rehearsal failed."""


class RehearsalError(Exception):
    """A rehearsal that found a fault, or that could not start. The message is for the operator."""
