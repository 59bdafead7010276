"""What the artifact predicts for the photos of a split, and the metrics of it."""

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
class Predictions:
    """One row per photo."""

    photos: Sequence[Photo]
    logits: Logits
    """(photos, classes), before the temperature. If computed from probabilities: up to a constant per row."""
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
        """Of the probabilities without temperature scaling."""
        return reliability(softmax(self.logits), self.targets)

    @property
    def after(self) -> Reliability:
        """Of the probabilities as served."""
        return reliability(self.probabilities, self.targets)

    @property
    def ece_by_chance(self) -> float:
        """The calibration error to expect by chance if every served probability were correct."""
        return ece_by_chance(self.probabilities)


def targets_of(photos: Iterable[Photo]) -> Targets:
    return np.asarray([photo.label for photo in photos], dtype=np.int64)


def served_metrics(valid: Predictions, test: Predictions) -> dict[str, float]:
    """Metrics of the served model, by their names in the manifest, the log and CloudWatch."""
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
