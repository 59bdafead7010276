"""The reference of an artifact that has none: its model classifies the test photos again, on this machine."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from inference.classifier import Classifier
from inference.cores import usable_cores
from inference.drift.appearance import appearance
from inference.drift.errors import DriftError
from inference.drift.reference import MOST_PHOTOS, Photos, Reference
from inference.photo.errors import PhotoError
from inference.photo.file_types import file_type
from inference.photo.limits import decode_on
from ops.model.archive import unpacked
from ops.views.steps import Report

_HEAD = 4096


def reference_of(archive: Path, folder: Path, report: Report) -> Reference:
    """Measure the photos below `folder` with the model in model.tar.gz, as training does.

    Of more than MOST_PHOTOS an even part. Raises DriftError without a photo, and ArtifactError.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_photo(path)]
    if not paths:
        raise DriftError(f"The folder {folder} has no JPEG, PNG or WebP; name the folder of the test photos.")
    count = len(paths)
    chosen = paths if count <= MOST_PHOTOS else [paths[count * i // MOST_PHOTOS] for i in range(MOST_PHOTOS)]
    decode_on(usable_cores())
    with unpacked(archive) as model:
        classifier = Classifier(model)
        return Reference(
            manifest=classifier.manifest, labels=classifier.labels, photos=_measured(classifier, chosen, report)
        )


def _measured(classifier: Classifier, paths: Sequence[Path], report: Report) -> Photos:
    places = {breed: number for number, breed in enumerate(classifier.labels)}

    def row(path: Path) -> tuple[float, int, float, int] | None:
        content = path.read_bytes()
        try:
            best, look = classifier.predict(content, top_k=1)[0], appearance(content, classifier.preprocessing)
        except PhotoError:
            return None  # training leaves such a photo out, too
        return round(best.probability, 6), places[best.breed], look.brightness, look.shorter_side

    rows = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        for number, found in enumerate(pool.map(row, paths), start=1):
            rows += [found] if found else []
            report(number, len(paths), "")
    if not rows:
        raise DriftError(f"None of the {len(paths)} test photos can be decoded; name another folder.")
    return Photos.of(rows)


def _is_photo(path: Path) -> bool:
    with path.open("rb") as file:
        return file_type(file.read(_HEAD)).is_decoded
