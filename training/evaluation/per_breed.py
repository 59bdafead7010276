"""Metrics in which every breed has the same weight, however many photos it has.

If nine in ten photos show one breed, a network that always names it has an accuracy of 0.9, but with two breeds a
balanced accuracy of 0.5 and a macro F1 of 0.47. The definitions are scikit-learn's: balanced_accuracy_score, and
f1_score with average="macro" and zero_division=0.
"""

import numpy as np
import numpy.typing as npt

from training.evaluation.calibration import Targets


def balanced_accuracy(targets: Targets, predicted: Targets) -> float:
    """The mean recall, 0..1, of the breeds that have photos.

    targets, predicted: (photos,) class indices, of at least one photo.
    """
    photos, _, correct = _counts(targets, predicted)
    present = photos > 0
    return float((correct[present] / photos[present]).mean())


def macro_f1(targets: Targets, predicted: Targets) -> float:
    """The mean F1, 0..1, of the breeds that have photos or were predicted.

    F1 is the harmonic mean of recall and precision. It is 0 for a breed without a correct prediction.

    targets, predicted: (photos,) class indices, of at least one photo.
    """
    photos, named, correct = _counts(targets, predicted)
    seen = photos + named > 0
    return float((2 * correct[seen] / (photos[seen] + named[seen])).mean())


def _counts(targets: Targets, predicted: Targets) -> tuple[npt.NDArray[np.int64], ...]:
    """By breed: its photos, the photos that were classified as it, and those of both."""
    classes = 1 + int(max(targets.max(), predicted.max()))
    every = (targets, predicted, targets[targets == predicted])
    return tuple(np.bincount(found, minlength=classes).astype(np.int64) for found in every)
