"""Which capture records are compared, and why others are not."""

import json
from pathlib import Path

import pytest

from inference.classifier import Classifier
from inference.drift.records import read
from inference.drift.reference import Reference, read_reference
from tests.drift.calls import answer, artifact, batch, photo, record

INPUT, OUTPUT = ([{"CaptureMode": mode}] for mode in ("Input", "Output"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, Reference]:
    folder = tmp_path_factory.mktemp("model")
    return artifact(folder, [photo(1)]), read_reference(folder)


def counts(tmp_path: Path, reference: Reference, *lines: bytes) -> dict[str, int]:
    (tmp_path / "1.jsonl").write_bytes(b"".join(lines))
    found = read(tmp_path, reference, most=100)
    assert len(found.photos) == found.counts["compared"] == len(found.times)
    return dict(found.counts)


def test_a_photo_has_the_measures_of_its_answer_and_of_its_pixels(
    served: tuple[Classifier, Reference], tmp_path: Path
) -> None:
    classifier, reference = served
    sent = photo(5, side=48)
    (tmp_path / "1.jsonl").write_bytes(record(sent, {**answer(classifier, sent), "model": classifier.model_id}))
    found = read(tmp_path, reference, most=100).photos

    best = classifier.predict(sent)[0]
    assert found.confidence == pytest.approx([best.probability], abs=1e-6)
    assert reference.labels[found.breed[0]] == best.breed
    assert found.shorter_side.tolist() == [48]  # exact: pixels are whole numbers


def test_each_photo_of_a_batch_is_compared_with_its_own_answer(
    served: tuple[Classifier, Reference], tmp_path: Path
) -> None:
    classifier, reference = served
    good, refused = photo(5), b"no photo"
    results = [answer(classifier, good), {"error": {"code": "not_a_photo", "message": "."}}]
    line = record(batch([good, refused]), {"results": results, "model": classifier.model_id}, kind="application/json")
    assert counts(tmp_path, reference, line) == {"compared": 1, "refused by the endpoint": 1}


def test_a_batch_that_was_captured_in_base64_is_compared(served: tuple[Classifier, Reference], tmp_path: Path) -> None:
    classifier, reference = served
    body = {"results": [answer(classifier, photo(5))], "model": classifier.model_id}
    assert counts(tmp_path, reference, record(batch([photo(5)]), body, kind="text/plain")) == {"compared": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"no JSON\n", "not a capture record"),
        (b"[]\n", "not a capture record"),
        (b'{"captureData": null, "eventMetadata": {"inferenceTime": "2026"}}\n', "not a capture record"),
        (record(b"x", {"error": {"code": "busy"}}), "refused by the endpoint"),
        (record(b"x", {"predictions": []}), "answer without a prediction"),
        (record(b"x", {"predictions": [{"breed": "Collie", "probability": "much"}]}), "answer without a prediction"),
        (record(b"x", {"results": 5}), "answer without a prediction"),
        (record(b"x", {}, CaptureOptions=INPUT), "answer not captured"),
        (record(b"x", {}, CaptureOptions=OUTPUT), "request not captured"),
        (record(b"\xff\xd8", {}, kind="application/json"), "request captured as text, not as a photo"),
        (record(b'{"url": "https://example.com"}', {}, kind="application/json"), "request without a photo"),
        (
            record(photo(2), {"predictions": [{"breed": "Collie", "probability": 0.9}], "model": "another"}),
            "answered by another model",
        ),
    ],
)
def test_a_record_without_a_photo_and_its_answer_is_counted_by_its_reason(
    served: tuple[Classifier, Reference], tmp_path: Path, line: bytes, reason: str
) -> None:
    assert counts(tmp_path, served[1], line) == {reason: 1}


def test_a_photo_that_cannot_be_decoded_is_counted(served: tuple[Classifier, Reference], tmp_path: Path) -> None:
    classifier, reference = served
    response = {**answer(classifier, photo(5)), "model": classifier.model_id}
    assert counts(tmp_path, reference, record(photo(5)[:300], response)) == {"photo cannot be decoded": 1}


def test_csv_is_no_photo(served: tuple[Classifier, Reference], tmp_path: Path) -> None:
    line = record(b"1,2", {}, kind="text/csv", CaptureContentTypeHeader={"CsvContentTypes": ["text/csv"]})
    assert json.loads(line)["captureData"]["endpointInput"]["encoding"] == "CSV"
    assert counts(tmp_path, served[1], line) == {"request captured as text, not as a photo": 1}


def test_records_outside_of_the_period_are_counted(served: tuple[Classifier, Reference], tmp_path: Path) -> None:
    classifier, reference = served
    (tmp_path / "1.jsonl").write_bytes(record(photo(5), {**answer(classifier, photo(5)), "model": classifier.model_id}))
    found = read(tmp_path, reference, most=9, since="2026-11-28T06:00:01Z")
    assert found.counts == {"outside of the period": 1}
