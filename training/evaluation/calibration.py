"""Calibration: of the predictions with a probability of 80 %, four in five should be correct.

A trained network is usually overconfident. Dividing its logits by one number, the temperature, corrects most of that
and keeps the order of the breeds (Guo et al., On Calibration of Modern Neural Networks, 2017).
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
"""Number of bins, of equal width over 0..1, as in the paper."""

_COOLEST, _HOTTEST = 0.05, 20.0


def softmax(logits: npt.NDArray[np.floating]) -> Probabilities:
    """(photos, classes) logits to probabilities, in double precision."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    result: Probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def fit_temperature(logits: Logits, targets: Targets) -> float:
    """The temperature, between 0.05 and 20, that maximises the likelihood of the targets.

    n photos cannot show an error rate below about 1/n, so 1 / (n + 2) of each target is spread over all classes
    (Platt's correction, 1999). Without it, a network that is correct on every photo would get a confidence of 1.
    """
    values, count = logits.astype(np.float64), len(targets)
    spread = 1 / (count + 2)
    wanted = (1 - spread) * values[np.arange(count), targets].mean() + spread * values.mean()

    def slope(sharpness: float) -> float:
        """Derivative of the mean cross-entropy by 1 / temperature, which is convex in it: zero is at the minimum."""
        return float((softmax(values * sharpness) * values).sum(axis=1).mean() - wanted)

    low, high = math.log(1 / _HOTTEST), math.log(1 / _COOLEST)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Predictions of about the same confidence."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean probability of the most likely breed; 0 if the bin is empty."""
    accuracy: float
    """Share of correct predictions; 0 if the bin is empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """The difference between confidence and accuracy."""

    bins: tuple[Bin, ...]
    ece: float
    """Expected calibration error, 0..1: the mean over all predictions of |accuracy - confidence| of their bins."""


def reliability(probabilities: Probabilities, targets: Targets) -> Reliability:
    """Sort the predictions into bins by the probability of the most likely breed."""
    return _binned(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets)


def ece_by_chance(probabilities: Probabilities, *, draws: int = 200) -> float:
    """The calibration error to expect for this number of predictions if every confidence were correct.

    It is larger the fewer the photos, about 4 points for 200. A measured error below it is no sign of bad calibration.
    """
    confidence, rng = probabilities.max(axis=1), np.random.default_rng(0)
    return float(np.mean([_binned(confidence, rng.random(len(confidence)) < confidence).ece for _ in range(draws)]))


def mean_loss(probabilities: Probabilities, targets: Targets) -> float:
    """Mean cross-entropy in nats. Unlike ECE it needs no bins, and is lowest for the true probabilities."""
    own = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())


def _binned(confidence: npt.NDArray[np.floating], correct: npt.NDArray[np.bool_]) -> Reliability:
    # upper edges belong to their bin, as in the paper, and so does a confidence of 1
    places = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins, ece = [], 0.0
    for place in range(BINS):
        inside = places == place
        count = int(inside.sum())
        mean, share = (float(confidence[inside].mean()), float(correct[inside].mean())) if count else (0.0, 0.0)
        bins.append(Bin(low=place / BINS, high=(place + 1) / BINS, count=count, confidence=mean, accuracy=share))
        ece += count / len(correct) * abs(share - mean)
    return Reliability(bins=tuple(bins), ece=ece)
