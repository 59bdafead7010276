"""Probabilities that mean what they say: of the answers given with 80 %, four in five should be right.

A trained network is usually surer than it should be. Dividing its logits by one number, the temperature, mends most of
that and changes no order (Guo et al., On Calibration of Modern Neural Networks, 2017).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
"""(photos, classes), before softmax."""
Targets = npt.NDArray[np.int64]
"""(photos,) class indices."""

Probabilities = npt.NDArray[np.float64]
"""(photos, classes), each row of sum 1."""

BINS = 15
"""Of equal width over 0..1, as in the paper."""

_COOLEST, _HOTTEST = 0.05, 20.0


def softmax(logits: npt.NDArray[np.floating]) -> Probabilities:
    """(photos, classes) logits to probabilities, in double precision."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    result: Probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def fit_temperature(logits: Logits, targets: Targets) -> float:
    """The temperature under which the targets are most likely, between 0.05 and 20.

    n photos cannot show that the network errs less than about once in n, so 1 / (n + 2) of each target is spread over
    all classes (Platt's correction, 1999): else a network that is right on every photo would be given certainty.
    """
    values, count = logits.astype(np.float64), len(targets)
    spread = 1 / (count + 2)
    wanted = (1 - spread) * values[np.arange(count), targets].mean() + spread * values.mean()

    def slope(sharpness: float) -> float:
        """Of the mean cross-entropy over 1 / temperature, in which it is convex: where it is 0 is the minimum."""
        return float((softmax(values * sharpness) * values).sum(axis=1).mean() - wanted)

    low, high = math.log(1 / _HOTTEST), math.log(1 / _COOLEST)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Answers of about the same confidence."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean probability of the first breed; 0 where the bin is empty."""
    accuracy: float
    """Share of the answers that are right; 0 where the bin is empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """How far confidence and accuracy are apart."""

    bins: tuple[Bin, ...]
    ece: float
    """Expected calibration error, 0..1: the mean over all answers of |accuracy - confidence| of their bins."""


def reliability(probabilities: Probabilities, targets: Targets) -> Reliability:
    """Sort the answers into BINS by the probability of their first breed."""
    return _binned(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets)


def ece_by_chance(probabilities: Probabilities, *, draws: int = 200) -> float:
    """The error to expect of so many answers though each were right exactly as often as its confidence says.

    The fewer the photos, the larger: of 200 it may be 4 points, and a smaller error than this shows no fault.
    """
    confidence, rng = probabilities.max(axis=1), np.random.default_rng(0)
    return float(np.mean([_binned(confidence, rng.random(len(confidence)) < confidence).ece for _ in range(draws)]))


def mean_loss(probabilities: Probabilities, targets: Targets) -> float:
    """Mean cross-entropy in nats: unlike ECE it needs no bins, and is lowest for the true probabilities."""
    own = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())


def _binned(confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> Reliability:
    # a confidence of exactly 1 belongs to the last bin, and one on an edge to the bin that it ends, as in the paper
    places = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins, ece = [], 0.0
    for place in range(BINS):
        inside = places == place
        count = int(inside.sum())
        mean, share = (float(confidence[inside].mean()), float(right[inside].mean())) if count else (0.0, 0.0)
        bins.append(Bin(low=place / BINS, high=(place + 1) / BINS, count=count, confidence=mean, accuracy=share))
        ece += count / len(right) * abs(share - mean)
    return Reliability(bins=tuple(bins), ece=ece)
