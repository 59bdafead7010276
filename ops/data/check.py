"""Check a folder of photos before training: open each photo, and report errors and warnings."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from contract.photos import SPLITS
from inference.cores import usable_cores
from inference.photo.limits import decode_on
from ops.data import findings
from ops.data.breed_names import breed_names
from ops.data.duplicates import duplicates
from ops.data.findings import Finding
from ops.data.measure import Measured, measure
from ops.data.unread import Unread, unread
from training.data.dataset import DataSet, inspect
from training.data.folders import Fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """The contents of a data folder and the findings."""

    data: DataSet
    findings: Sequence[Finding]
    """Errors first."""

    @property
    def passed(self) -> bool:
        """Whether there is no error; warnings are allowed."""
        return all(finding.severity != "error" for finding in self.findings)

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of photos by breed and split."""
        table = {label: dict.fromkeys(SPLITS, 0) for label in self.data.labels}
        for split, photos in self.data.splits.items():
            for photo in photos:
                table[self.data.labels[photo.label]][split] += 1
        return table


def check(folder: Path, *, links_to: Path | None = None, progress: Callable[[int, int], None] | None = None) -> Check:
    """Open every photo of `folder`, in the ImageFolder or the Udacity layout, and report what would harm training.

    Faults for which training would refuse the folder are errors too, and the photos that exist are checked all the
    same. `progress(done, total)` counts photos and is called in this thread. links_to: a folder outside that
    symbolic links may lead to.
    """
    data, faults = inspect(folder, links_to=links_to)
    photos = [photo for split in SPLITS for photo in data.splits[split]]
    measured: list[Measured] = []
    decode_on(usable_cores())
    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            for done, each in enumerate(pool.map(lambda photo: measure(data, photo), photos), start=1):
                measured += [each] if each else []
                if progress:
                    progress(done, len(photos))
        finally:
            pool.shutdown(cancel_futures=True)
    found = [
        *(findings.error(fault.code, fault.sentence, [[name] for name in fault.names]) for fault in faults),
        *breed_names(data.labels),
        *duplicates(measured),
        *findings.unusable(data),
        *findings.balance(data),
        *findings.poor_quality(measured),
        *([] if any(fault.code == "unreadable" for fault in faults) else findings.not_read(_unread(folder, faults))),
    ]
    return Check(data=data, findings=sorted(found, key=lambda finding: finding.severity != "error"))


def _unread(folder: Path, faults: Sequence[Fault]) -> Unread:
    """What training ignores. In a known layout no photo is misplaced: the command in the fault's sentence moves it."""
    found = unread(folder)
    return replace(found, misplaced=[]) if any(fault.names_layout for fault in faults) else found
