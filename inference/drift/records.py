"""SageMaker's capture records: JSON lines, each a request to the endpoint and its answer.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.drift.appearance import appearance
from inference.drift.reference import Photos, Reference
from inference.photo.errors import PhotoError

COMPARED = "compared"
NOT_A_RECORD = "not a capture record"
NO_PHOTO = "request not captured"
NOT_BASE64 = "request captured as text, not as a photo"
NO_BATCH = "request without a photo"
NO_ANSWER = "answer not captured"
REFUSED = "refused by the endpoint"
NO_PREDICTION = "answer without a prediction"
OTHER_MODEL = "answered by another model"
REPEATED = "photo sent before"
NOT_DECODED = "photo cannot be decoded"
BEYOND = "left out of the sample"
OUTSIDE = "outside of the period"


class UnusableError(Exception):
    """A record, or a photo of it, that cannot be compared. The message is one of the reasons above."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A photo of a request, and the most probable breed of its answer."""

    photo: bytes
    breed: str
    confidence: float
    model: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of a file, in the order of time."""

    time: str
    path: Path
    offset: int


@dataclass(kw_only=True, slots=True)
class Captured:
    """What was read: the measures of each different photo, and what became of the others."""

    photos: Photos
    counts: Counter[str]
    """Photos that were compared, and those that were not by their reason. A record that cannot be read counts as one
    photo."""
    times: list[str] = field(default_factory=list)

    @property
    def period(self) -> tuple[str, str] | None:
        return (min(self.times), max(self.times)) if self.times else None


def read(folder: Path, reference: Reference, *, most: int, since: str = "", until: str = "~") -> Captured:
    """Measure the photos of the records below `folder`.

    A photo that was sent several times is measured once: a monitor that sends one photo every minute is not traffic.
    most: of more records, so many are read, evenly spread over the time.
    since, until: ISO 8601 in UTC, the period of the records.
    """
    counts: Counter[str] = Counter()
    places = _places(folder, counts, since, until)
    chosen = places if len(places) <= most else [places[len(places) * i // most] for i in range(most)]
    counts[BEYOND] += len(places) - len(chosen)
    index = {breed: number for number, breed in enumerate(reference.labels)}
    rows, times, seen = [], [], set()
    for place in chosen:
        for found in answered(_line(place)):
            try:
                if isinstance(found, UnusableError):
                    raise found
                if found.model != reference.manifest.id or found.breed not in index:
                    raise UnusableError(OTHER_MODEL)
                digest = hashlib.sha256(found.photo).digest()
                if digest in seen:
                    raise UnusableError(REPEATED)
                seen.add(digest)
                look = appearance(found.photo, reference.manifest.preprocessing)
            except UnusableError as error:
                counts[str(error)] += 1
            except PhotoError:
                counts[NOT_DECODED] += 1
            else:
                counts[COMPARED] += 1
                times.append(place.time)
                rows.append((found.confidence, index[found.breed], look.brightness, look.shorter_side))
    return Captured(photos=Photos.of(rows), counts=+counts, times=times)


def answered(line: bytes) -> Iterator[Answered | UnusableError]:
    """The photos of one record, each with its answer; or why there is none."""
    try:
        captured = _captured(line)
        request, answer = _request(captured), _answer(captured)
        photos = _batch(request) if request.lstrip()[:1] == b"{" else [request]
        results = answer.get("results", [answer])
        if not isinstance(results, list) or len(results) != len(photos):
            raise UnusableError(NO_PREDICTION)
    except UnusableError as error:
        yield error
        return
    for photo, result in zip(photos, results, strict=True):
        try:
            yield _first(photo, result, answer.get("model"))
        except UnusableError as error:
            yield error


def _first(photo: bytes, result: Any, model: Any) -> Answered:
    if isinstance(result, dict) and "error" in result:
        raise UnusableError(REFUSED)
    try:
        best = result["predictions"][0]
        breed, confidence = best["breed"], float(best["probability"])
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise UnusableError(NO_PREDICTION) from error
    if not isinstance(breed, str) or not 0 <= confidence <= 1:
        raise UnusableError(NO_PREDICTION)
    return Answered(photo, breed, confidence, str(model))


def _captured(line: bytes) -> dict[str, Any]:
    try:
        captured = json.loads(line)["captureData"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnusableError(NOT_A_RECORD) from error
    if not isinstance(captured, dict):
        raise UnusableError(NOT_A_RECORD)
    return captured


def _request(captured: dict[str, Any]) -> bytes:
    found = captured.get("endpointInput")
    if not isinstance(found, dict) or not isinstance(found.get("data"), str):
        raise UnusableError(NO_PHOTO)
    content = _content(found)
    if found.get("encoding") != "BASE64" and content.lstrip()[:1] != b"{":  # a photo that was made text is lost
        raise UnusableError(NOT_BASE64)
    return content


def _answer(captured: dict[str, Any]) -> dict[str, Any]:
    found = captured.get("endpointOutput")
    if not isinstance(found, dict) or not isinstance(found.get("data"), str):
        raise UnusableError(NO_ANSWER)
    try:
        answer = json.loads(_content(found))
    except (ValueError, RecursionError) as error:
        raise UnusableError(NO_PREDICTION) from error
    if not isinstance(answer, dict):
        raise UnusableError(NO_PREDICTION)
    return answer


def _batch(body: bytes) -> list[bytes]:
    try:
        images = json.loads(body)["images"]
        return [base64.b64decode(each) for each in images]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnusableError(NO_BATCH) from error


def _content(found: dict[str, Any]) -> bytes:
    if found.get("encoding") != "BASE64":
        return str(found["data"]).encode()
    try:
        return base64.b64decode(found["data"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnusableError(NOT_BASE64) from error


def _places(folder: Path, counts: Counter[str], since: str, until: str) -> list[_Place]:
    """The records by time, each request once. Of a record only its place is kept: its photo may have 8 MB."""
    found, seen = [], set()
    for path in sorted(folder.rglob("*.jsonl")):
        offset = 0
        with path.open("rb") as file:
            for line in file:
                start, offset = offset, offset + len(line)
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                    time = str(record["eventMetadata"]["inferenceTime"])
                    request = (record["captureData"].get("endpointInput") or {}).get("data")
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    counts[NOT_A_RECORD] += 1
                    continue
                if not since <= time <= until:
                    counts[OUTSIDE] += 1
                    continue
                digest = hashlib.sha256(str(request).encode(errors="replace")).digest()
                if request and digest in seen:
                    counts[REPEATED] += 1
                    continue
                seen.add(digest)
                found.append(_Place(time, path, start))
    return sorted(found, key=lambda place: (place.time, place.path, place.offset))


def _line(place: _Place) -> bytes:
    with place.path.open("rb") as file:
        file.seek(place.offset)
        return file.readline()
