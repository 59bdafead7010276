"""What the artifact says of a split's photos."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.dataset import Photo
from training.evaluation.calibration import (
    Logits,
    Probabilities,
    Reliability,
    Targets,
    ece_by_chance,
    mean_loss,
    reliability,
    softmax,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """One row for each photo."""

    photos: Sequence[Photo]
    logits: Logits
    """(photos, classes), before the temperature; of what is only known by its probabilities, up to a constant a row."""
    temperature: float

    @property
    def targets(self) -> Targets:
        return targets_of(self.photos)

    @property
    def accuracy(self) -> float:
        return float((self.logits.argmax(axis=1) == self.targets).mean())

    @property
    def probabilities(self) -> Probabilities:
        """As served."""
        return softmax(self.logits / self.temperature)

    @property
    def loss(self) -> float:
        """Mean cross-entropy as served."""
        return mean_loss(self.probabilities, self.targets)

    @property
    def before(self) -> Reliability:
        """Of the network's own probabilities."""
        return reliability(softmax(self.logits), self.targets)

    @property
    def after(self) -> Reliability:
        """Of the probabilities as served."""
        return reliability(self.probabilities, self.targets)

    @property
    def ece_by_chance(self) -> float:
        """What the error as served would be though no probability were wrong."""
        return ece_by_chance(self.probabilities)


def targets_of(photos: Iterable[Photo]) -> Targets:
    return np.asarray([photo.label for photo in photos], dtype=np.int64)


def figures(valid: Answers, test: Answers) -> dict[str, float]:
    """What the manifest, the log and CloudWatch say of them, under the names that they use."""
    return {
        "served_valid_accuracy": valid.accuracy,
        "served_test_accuracy": test.accuracy,
        "temperature": valid.temperature,
        "valid_ece_before": valid.before.ece,
        "valid_ece": valid.after.ece,
        "test_ece_before": test.before.ece,
        "test_ece": test.after.ece,
        "test_ece_by_chance": test.ece_by_chance,
        "served_valid_loss": valid.loss,
        "served_test_loss": test.loss,
    }
