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
from training.evaluation.per_breed import balanced_accuracy, macro_f1


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
    def predicted(self) -> Targets:
        """(photos,) class indices of the most likely breeds."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    @property
    def accuracy(self) -> float:
        return float((self.predicted == self.targets).mean())

    @property
    def balanced_accuracy(self) -> float:
        return balanced_accuracy(self.targets, self.predicted)

    @property
    def macro_f1(self) -> float:
        return macro_f1(self.targets, self.predicted)

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
        "served_valid_balanced_accuracy": valid.balanced_accuracy,
        "served_test_balanced_accuracy": test.balanced_accuracy,
        "served_valid_macro_f1": valid.macro_f1,
        "served_test_macro_f1": test.macro_f1,
        "temperature": valid.temperature,
        "valid_ece_before": valid.before.ece,
        "valid_ece": valid.after.ece,
        "test_ece_before": test.before.ece,
        "test_ece": test.after.ece,
        "test_ece_by_chance": test.ece_by_chance,
        "served_valid_loss": valid.loss,
        "served_test_loss": test.loss,
    }
