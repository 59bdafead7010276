"""What the operator can correct."""


class CapacityError(Exception):
    """The load cannot be simulated. The message is one sentence for the user, with what to do."""
