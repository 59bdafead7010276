"""The photos of a rehearsal: drawn, or the operator's own."""

from collections.abc import Sequence

from ops.rehearse.plan import Plan
from ops.views.steps import Report
from sample_dogs.dataset import DEFAULT_COUNTS, write_sample
from training.data.dataset import DataSet, Photo, scan

HELD_OUT = "held-out-photos"
FEW = {"train": 1, "valid": 1, "test": DEFAULT_COUNTS["test"]}
"""For a finished artifact: the held-out photos of the other rehearsals, and no more than a data set must have."""


def photos(plan: Plan, report: Report) -> DataSet:
    """Draw the sample, or read the operator's folder. Raises DataError and SampleFolderError."""
    folder = plan.data or plan.folder / (HELD_OUT if plan.model else "photos")
    if plan.data is None:
        counts = FEW if plan.model else DEFAULT_COUNTS
        summary = write_sample(
            folder, counts=counts, seed=plan.seed, progress=lambda done, total: report(done, total, "")
        )
        are = "are kept from before" if summary.reused else "are"
        report(1, 1, f"{summary.photos} photos of {len(summary.breeds)} breeds {are} in {folder}")
    data = scan(folder)
    if plan.data is not None:
        report(1, 1, f"{sum(map(len, data.splits.values()))} photos of {len(data.labels)} breeds are in {folder}")
    return data


def spread(photos: Sequence[Photo], most: int) -> list[Photo]:
    """At most `most` photos, evenly spread over the breeds. The photos are sorted by breed."""
    step = max(1.0, len(photos) / most)
    return [photos[int(position * step)] for position in range(min(most, len(photos)))]
