"""The check of an environment: which model answers, its reference, the records of the period, the comparison."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inference.drift.comparison import Comparison, compare
from inference.drift.records import read
from inference.drift.reference import read_reference
from ops.drift import download
from ops.drift.source import Source, source
from ops.operate.account import Account
from ops.operate.deployed import Deployed
from ops.operate.endpoint import Endpoint, endpoint
from ops.views.steps import Steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A comparison, and what it was made from."""

    source: Source
    since: datetime
    until: datetime
    files: int
    """Capture files of the period."""
    downloaded: int
    comparison: Comparison


def deployed_endpoint(account: Account) -> tuple[Deployed, Endpoint] | None:
    """The environment's endpoint; None if there is none. Raises AccountError."""
    deployed = Deployed.of(account)
    found = endpoint(deployed)
    return (deployed, found) if found else None


def check(
    deployed: Deployed,
    found: Endpoint,
    *,
    since: datetime,
    until: datetime,
    most: int,
    photos: Path | None,
    steps: Steps,
) -> Check:
    """Compare the calls of a period with the test photos.

    most: records. photos: the test photos, for an artifact without a reference. Raises DriftError, AccountError and
    ArtifactError.
    """
    captured = source(deployed, found)
    with tempfile.TemporaryDirectory(prefix="kennel-drift-") as scratch:
        folder = Path(scratch)
        with steps.step("the model that answers", in_bytes=True) as report:
            packed = download.artifact(deployed.account, found.model_data, folder, report)
            reference = None if photos else read_reference(packed)
        if reference is None and photos:
            from ops.drift.photos import reference_of  # the rest of the command needs no OpenVINO

            with steps.step("its predictions for the test photos") as report:
                reference = reference_of(packed, photos, report)
        assert reference is not None  # noqa: S101 - for mypy
        records = folder / "records"
        records.mkdir()
        with steps.step("the calls of the period") as report:
            objects = captured.objects(since, until)
            count = download.download(captured, objects, records, most=most, report=report)
        with steps.step("the comparison"):
            photos_now = read(records, reference, most=most, since=_iso(since), until=_iso(until))
            result = compare(reference, photos_now.photos, records=photos_now.counts, period=photos_now.period)
    return Check(source=captured, since=since, until=until, files=len(objects), downloaded=count, comparison=result)


def _iso(moment: datetime) -> str:
    """As in a record, so that times compare as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
