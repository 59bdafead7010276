"""What the answers to a split's photos come to: breed by breed, pair by pair, and the mistakes made with confidence."""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.dataset import Photo
from training.evaluation.predictions import Answers

_NORMAL_95 = 1.96
_SYNSET = re.compile(r"^n\d{8}-(?=.)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Breed:
    """How the photos of one breed fared."""

    name: str
    photos: int
    right: int
    said: int
    """Photos of any breed that were taken for this one."""
    taken_for: str
    """The breed that its photos were most often mistaken for; empty where none was."""

    @property
    def recall(self) -> float | None:
        """Share of its photos that were recognised; None where there is none."""
        return self.right / self.photos if self.photos else None

    @property
    def precision(self) -> float | None:
        """Share of the photos taken for it that show it; None where there is none."""
        return self.right / self.said if self.said else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Photos of one breed that were taken for another."""

    true: str
    said: str
    count: int
    of: int
    """Photos of the true breed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """One photo that was named wrongly."""

    photo: Photo
    true: str
    said: str
    confidence: float
    """Probability, 0..1, of the breed that was said."""
    true_probability: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Of one split. Every list has the worst first."""

    labels: tuple[str, ...]
    matrix: npt.NDArray[np.int64]
    """(true breed, breed that was said): photos."""
    breeds: Sequence[Breed]
    pairs: Sequence[Pair]
    mistakes: Sequence[Mistake]

    def document(self) -> dict[str, Any]:
        """For the manifest."""
        rows = [{**asdict(breed), "recall": breed.recall, "precision": breed.precision} for breed in self.breeds]
        return {"breeds": rows, "confused": [asdict(pair) for pair in self.pairs]}


def findings(answers: Answers, labels: Sequence[str]) -> Findings:
    """Count the answers, and sort them by how bad they are."""
    targets, probabilities = answers.targets, answers.probabilities
    said = probabilities.argmax(axis=1)
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(matrix, (targets, said), 1)
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    breeds = [
        Breed(
            name=label,
            photos=int(matrix[i].sum()),
            right=int(matrix[i, i]),
            said=int(matrix[:, i].sum()),
            taken_for=labels[int(wrong[i].argmax())] if wrong[i].any() else "",
        )
        for i, label in enumerate(labels)
    ]
    pairs = [
        Pair(true=labels[i], said=labels[j], count=int(wrong[i, j]), of=int(matrix[i].sum()))
        for i, j in zip(*np.nonzero(wrong), strict=True)
    ]
    mistakes = [
        Mistake(
            photo=answers.photos[row],
            true=labels[targets[row]],
            said=labels[said[row]],
            confidence=float(probabilities[row, said[row]]),
            true_probability=float(probabilities[row, targets[row]]),
        )
        for row in np.flatnonzero(said != targets).tolist()
    ]
    return Findings(
        labels=tuple(labels),
        matrix=matrix,
        breeds=sorted(breeds, key=lambda breed: (1.0 if breed.recall is None else breed.recall, breed.name)),
        pairs=sorted(pairs, key=lambda pair: (-pair.count, -pair.count / pair.of, pair.true, pair.said)),
        mistakes=sorted(mistakes, key=lambda mistake: -mistake.confidence),
    )


def shown(label: str) -> str:
    """A breed as people write it, without the number that ImageNet's folders begin with."""
    return _SYNSET.sub("", label).replace("_", " ")


def interval(right: int, count: int) -> tuple[float, float]:
    """The shares between which the true one lies with 95 % confidence, after `right` of `count` (Wilson's score)."""
    z2 = _NORMAL_95**2
    centre = (right + z2 / 2) / (count + z2)
    half = _NORMAL_95 / (count + z2) * math.sqrt(right * (count - right) / count + z2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)
