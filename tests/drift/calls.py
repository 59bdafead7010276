"""An artifact with a reference, photos like its test photos and others, and the records that SageMaker captures."""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from inference.artifact import read_manifest, sha256
from inference.classifier import Classifier
from inference.drift.appearance import appearance
from inference.drift.reference import FILE, Photos
from rehearsal.cloud.sagemaker.capture import Exchange, line
from tests.builders import LABELS, colour_of, encoded, write_artifact

CONFIG = {
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}
START = datetime(2026, 11, 28, 6, tzinfo=UTC)


def photo(seed: int, *, light: float = 1.0, side: int = 60, breeds: Sequence[int] = (0, 1, 2)) -> bytes:
    """A photo of a random breed, pale or strong, bright or less bright: no two seeds give the same."""
    rng = np.random.default_rng(seed)
    colour = np.array(colour_of(int(rng.choice(breeds)), len(LABELS)))
    pale = rng.uniform(0.25, 0.75) * colour + rng.uniform(40, 90)
    noise = rng.normal(0, 8, (side, side, 3))
    image = Image.fromarray(np.clip(pale + noise, 0, 255).astype(np.uint8))
    return encoded(ImageEnhance.Brightness(image).enhance(light), "JPEG")


def artifact(folder: Path, photos: Iterable[bytes]) -> Classifier:
    """Write an artifact whose reference has these photos, as served by its own network."""
    classifier = Classifier(write_artifact(folder), threads=1)
    rows = []
    for each in photos:
        best, look = classifier.predict(each)[0], appearance(each, classifier.preprocessing)
        rows.append((best.probability, LABELS.index(best.breed), look.brightness, look.shorter_side))
    add_reference(folder, Photos.of(rows).content())
    return Classifier(folder, threads=1)


def add_reference(folder: Path, content: bytes) -> None:
    """Write the file, and its checksum into the manifest."""
    (folder / FILE).write_bytes(content)
    document = json.loads((folder / "manifest.json").read_text())
    document["files"][FILE] = sha256(content)
    (folder / "manifest.json").write_text(json.dumps(document))
    assert FILE in read_manifest(folder).files


def answer(classifier: Classifier, photo: bytes) -> dict[str, Any]:
    """What the server answers, without the model's id."""
    best = classifier.predict(photo)
    return {"predictions": [{"breed": each.breed, "probability": round(each.probability, 6)} for each in best]}


def record(
    request: bytes, response: dict[str, Any], *, at: datetime = START, kind: str = "image/jpeg", **config: Any
) -> bytes:
    """A line of what SageMaker captures."""
    exchange = Exchange("AllTraffic", at, kind, request, "application/json", json.dumps(response).encode())
    return json.dumps(line({**CONFIG, **config}, exchange)).encode() + b"\n"


def captured(folder: Path, classifier: Classifier, photos: Iterable[bytes]) -> Path:
    """One record each second, in an object for each minute, as below the endpoint's prefix."""
    for number, each in enumerate(photos):
        at = START + timedelta(seconds=number)
        path = folder / "dogs" / "AllTraffic" / at.strftime("%Y/%m/%d/%H/%M-00.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(record(each, {**answer(classifier, each), "model": classifier.model_id}, at=at))
    return folder


def batch(photos: Sequence[bytes]) -> bytes:
    """The body of a request with several photos."""
    return json.dumps({"images": [base64.b64encode(each).decode() for each in photos]}).encode()
