"""One breed that a model predicts for a photo. It imports only the standard library: callers have no model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """A breed and its probability, 0..1."""

    breed: str
    probability: float
