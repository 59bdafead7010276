"""Whether the int8 model may be served instead of the float32 model, on every processor that may serve it.

The weights decide for the worst processor: if no sum can saturate (training/export/saturation.py), the integer sums
are the same on all of them, and what is measured on this one holds for the others up to the rounding of floats.

The photos of `valid` then decide by three differences, int8 against float32. Each has noise, because `valid` is a
sample. The models classify the same photos, so their differences are paired by photo, and the standard error of a mean
of n differences d is s(d) / sqrt(n) (for accuracy: McNemar, Psychometrika 12, 1947). One-sided 95 %, 1.645 standard
errors, is the confidence of each decision:

- Loss must be *shown* to grow by at most MAX_LOSS_INCREASE: the upper end of its interval counts. The loss changes a
  little on every photo, so some hundred photos are enough to show it.
- Accuracy must not be shown to fall by more than MAX_ACCURACY_DROP: the lower end of its interval counts. Accuracy
  changes only on the few photos that are won or lost: one of 200 is half a point with a standard error of half a point,
  so the upper end would refuse a model that costs nothing.
- Where float32 is confident, int8 must predict the same breed, except for a share of MAX_CONFIDENT_CHANGES: a score
  test (Wilson, Journal of the American Statistical Association 22, 1927). Where float32 itself is undecided, another
  breed is no harm: it is as often the correct one.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from training.evaluation.calibration import Logits, Targets, fit_temperature, softmax

MIN_PHOTOS = 30
"""With fewer photos a standard error says little, and float32 is served."""
MAX_LOSS_INCREASE = 0.05
"""Nats: the geometric mean of the correct breed's probability falls by at most a twentieth."""
MAX_ACCURACY_DROP = 0.005
"""Of top-1 accuracy, 0..1."""
CONFIDENT = 0.9
"""Probability of float32's first breed, as served, from which its prediction must not change."""
MAX_CONFIDENT_CHANGES = 0.01
"""Share of the confident predictions, 0..1."""
Z = 1.645
"""Standard errors of a one-sided interval of 95 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The predictions of both models for the same photos, each with the temperature that it would be served with."""

    photos: int
    """Photos of `valid` that both models classified."""
    fp32_accuracy: float
    int8_accuracy: float
    accuracy_drop: float
    """Mean over the photos, float32 minus int8."""
    accuracy_drop_error: float
    """Its standard error."""
    fp32_loss: float
    """Mean cross-entropy, nats."""
    int8_loss: float
    loss_increase: float
    """Mean over the photos, int8 minus float32."""
    loss_increase_error: float
    """Its standard error."""
    agreement: float
    """Share of the photos for which both predict the same breed. Reported only."""
    confident_photos: int
    """Photos for which float32's first breed has a probability of at least CONFIDENT."""
    confident_changes: int
    """Of those, the ones for which int8 predicts another breed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Int8Check(Comparison):
    """Whether the int8 model may replace the float32 model, and the numbers that decided."""

    keep_int8: bool
    calibration_photos: int
    """Photos of `train` that the int8 ranges were computed from."""
    saturating_layers: int
    """Layers whose sums a processor without VNNI could clip."""
    reason: str


def check_int8(
    fp32: Logits, int8: Logits, targets: Targets, *, saturating: Sequence[str], calibration_photos: int
) -> Int8Check:
    """Judge by the logits of both models for the same photos, which neither was trained or calibrated on.

    saturating: the int8 model's layers in which sums can saturate.
    """
    comparison = compare(fp32, int8, targets)
    refused = refusal(comparison, saturating=saturating)
    return Int8Check(
        **asdict(comparison),
        keep_int8=refused is None,
        calibration_photos=calibration_photos,
        saturating_layers=len(saturating),
        reason=refused or "loss, accuracy and confident predictions are within the limits",
    )


def compare(fp32: Logits, int8: Logits, targets: Targets) -> Comparison:
    """Count and measure. fp32, int8: (photos, classes)."""
    # a logit that is not a number has no probability, so its loss is very large
    before, after = (np.nan_to_num(softmax(logits / fit_temperature(logits, targets))) for logits in (fp32, int8))
    rows = np.arange(len(targets))
    smallest = np.finfo(np.float64).tiny
    old_loss, new_loss = (-np.log(np.maximum(each[rows, targets], smallest)) for each in (before, after))
    old, new = fp32.argmax(axis=1), int8.argmax(axis=1)
    old_correct, new_correct = ((found == targets).astype(np.float64) for found in (old, new))
    drop, drop_error = mean_and_error(old_correct - new_correct)
    increase, increase_error = mean_and_error(new_loss - old_loss)
    confident = before.max(axis=1) >= CONFIDENT
    return Comparison(
        photos=len(targets),
        fp32_accuracy=float(old_correct.mean()),
        int8_accuracy=float(new_correct.mean()),
        accuracy_drop=drop,
        accuracy_drop_error=drop_error,
        fp32_loss=float(old_loss.mean()),
        int8_loss=float(new_loss.mean()),
        loss_increase=increase,
        loss_increase_error=increase_error,
        agreement=float((old == new).mean()),
        confident_photos=int(confident.sum()),
        confident_changes=int((old != new)[confident].sum()),
    )


def refusal(found: Comparison, *, saturating: Sequence[str]) -> str | None:
    """Why int8 must not be served, or None if it may be."""
    if saturating:
        return (
            f"sums of {len(saturating)} layers (first {saturating[0]}) could saturate on a processor without VNNI, "
            "whatever is measured on this one"
        )
    if found.photos < MIN_PHOTOS:
        return f"valid has {found.photos} photos, under the {MIN_PHOTOS} that a decision needs"
    if found.loss_increase + Z * found.loss_increase_error > MAX_LOSS_INCREASE:
        return (
            f"the loss grows by {found.loss_increase:.4f} with a standard error of {found.loss_increase_error:.4f}, "
            f"so it may grow by more than {MAX_LOSS_INCREASE}"
        )
    if found.accuracy_drop - Z * found.accuracy_drop_error > MAX_ACCURACY_DROP:
        return (
            f"accuracy falls by {found.accuracy_drop:.4f} with a standard error of {found.accuracy_drop_error:.4f}, "
            f"more than {MAX_ACCURACY_DROP}"
        )
    if found.confident_changes > allowed_changes(found.confident_photos):
        return (
            f"{found.confident_changes} of {found.confident_photos} predictions of which fp32 is confident change, "
            f"more than {MAX_CONFIDENT_CHANGES:.0%}"
        )
    return None


def mean_and_error(differences: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the differences, one for each photo, and its standard error: 0 for one photo, where it is not defined."""
    count = len(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    return float(differences.mean()), error


def allowed_changes(confident: int) -> float:
    """Changes among `confident` predictions above which their share is larger than MAX_CONFIDENT_CHANGES by more than
    chance."""
    expected = confident * MAX_CONFIDENT_CHANGES
    return expected + Z * math.sqrt(expected * (1 - MAX_CONFIDENT_CHANGES))
