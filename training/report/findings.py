"""What the predictions for a split show: results per breed, confused pairs, and the most confident mistakes."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.dataset import Photo
from training.evaluation.predictions import Predictions

_NORMAL_95 = 1.96
_SYNSET = re.compile(r"^n\d{8}-(?=.)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Breed:
    """Results for the photos of one breed."""

    name: str
    photos: int
    correct: int
    predicted: int
    """Photos of any breed that were classified as this one."""
    most_confused_with: str
    """The breed that its photos were most often mistaken for; empty if there were no mistakes."""

    @property
    def recall(self) -> float | None:
        """Share of its photos that were classified correctly; None if it has none."""
        return self.correct / self.photos if self.photos else None

    @property
    def precision(self) -> float | None:
        """Share of the photos classified as this breed that show it; None if there are none."""
        return self.correct / self.predicted if self.predicted else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Photos of one breed that were classified as another."""

    true: str
    predicted: str
    count: int
    of: int
    """Photos of the true breed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """One photo that was classified wrongly."""

    photo: Photo
    true: str
    predicted: str
    confidence: float
    """Probability, 0..1, of the predicted breed."""
    true_probability: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """The findings for one split. Every list starts with the worst."""

    labels: tuple[str, ...]
    matrix: npt.NDArray[np.int64]
    """(true breed, predicted breed): number of photos."""
    breeds: Sequence[Breed]
    pairs: Sequence[Pair]
    mistakes: Sequence[Mistake]

    def document(self) -> dict[str, Any]:
        """For the manifest, whose keys are part of its format."""
        breeds = [
            {
                "name": breed.name,
                "photos": breed.photos,
                "right": breed.correct,
                "said": breed.predicted,
                "taken_for": breed.most_confused_with,
                "recall": breed.recall,
                "precision": breed.precision,
            }
            for breed in self.breeds
        ]
        pairs = [{"true": pair.true, "said": pair.predicted, "count": pair.count, "of": pair.of} for pair in self.pairs]
        return {"breeds": breeds, "confused": pairs}


def findings(predictions: Predictions, labels: Sequence[str]) -> Findings:
    """Count the predictions by breed, and sort the results, the worst first."""
    targets, probabilities = predictions.targets, predictions.probabilities
    predicted = probabilities.argmax(axis=1)
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(matrix, (targets, predicted), 1)
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    breeds = [
        Breed(
            name=label,
            photos=int(matrix[i].sum()),
            correct=int(matrix[i, i]),
            predicted=int(matrix[:, i].sum()),
            most_confused_with=labels[int(wrong[i].argmax())] if wrong[i].any() else "",
        )
        for i, label in enumerate(labels)
    ]
    pairs = [
        Pair(true=labels[i], predicted=labels[j], count=int(wrong[i, j]), of=int(matrix[i].sum()))
        for i, j in zip(*np.nonzero(wrong), strict=True)
    ]
    mistakes = [
        Mistake(
            photo=predictions.photos[row],
            true=labels[targets[row]],
            predicted=labels[predicted[row]],
            confidence=float(probabilities[row, predicted[row]]),
            true_probability=float(probabilities[row, targets[row]]),
        )
        for row in np.flatnonzero(predicted != targets).tolist()
    ]
    return Findings(
        labels=tuple(labels),
        matrix=matrix,
        breeds=sorted(breeds, key=lambda breed: (1.0 if breed.recall is None else breed.recall, breed.name)),
        pairs=sorted(pairs, key=lambda pair: (-pair.count, -pair.count / pair.of, pair.true, pair.predicted)),
        mistakes=sorted(mistakes, key=lambda mistake: -mistake.confidence),
    )


def display_name(label: str) -> str:
    """A breed's name for people: without ImageNet's number, and with spaces."""
    return _SYNSET.sub("", label).replace("_", " ")


def interval(correct: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval (Wilson's score) of an accuracy, for `correct` of `count` photos."""
    z2 = _NORMAL_95**2
    centre = (correct + z2 / 2) / (count + z2)
    half = _NORMAL_95 / (count + z2) * math.sqrt(correct * (count - correct) / count + z2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)
