"""The check from capture records to the page: photos like the test photos, and others."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from inference.classifier import Classifier
from inference.drift import distance
from inference.drift.__main__ import main
from tests.builders import write_artifact
from tests.drift.calls import add_reference, artifact, captured, photo

TEST, OTHERS = range(1000, 1120), range(60)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Classifier]:
    folder = tmp_path_factory.mktemp("model")
    return folder, artifact(folder, [photo(seed) for seed in TEST])


@pytest.fixture(autouse=True)
def _fewer_divisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distance, "DIVISIONS", 399)  # enough for the level, and five times as fast


def check(model: tuple[Path, Classifier], tmp_path: Path, photos: list[bytes], *more: str) -> Any:
    """drift.json of these calls."""
    calls, out = captured(tmp_path / "calls", model[1], photos), tmp_path / "out"
    calls.mkdir(exist_ok=True)
    assert main(["--captured", str(calls), "--model", str(model[0]), "--out", str(out), *more]) == 0
    return json.loads((out / "drift.json").read_text())


def differing(found: Any) -> set[str]:
    return {name for name, figure in found["figures"].items() if figure["excess"] > 0}


def test_photos_like_the_test_photos_are_no_drift(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    found = check(model, tmp_path, [photo(seed) for seed in OTHERS])

    assert found["verdict"] == "no drift"
    assert found["drift"] == 0
    assert found["photos"] == 60
    assert found["test_photos"] == 120
    assert found["records"] == {"compared": 60}
    assert (found["from"], found["to"]) == ("2026-11-28T06:00:00Z", "2026-11-28T06:00:59Z")


@pytest.mark.parametrize(
    ("change", "name"),
    [({"light": 0.4}, "brightness"), ({"side": 16}, "size"), ({"breeds": (1,)}, "breeds")],
    ids=["dark", "thumbnails", "one-breed"],
)
def test_other_photos_are_drift_and_the_figure_says_in_what(
    model: tuple[Path, Classifier], tmp_path: Path, change: dict[str, Any], name: str
) -> None:
    found = check(model, tmp_path, [photo(seed, **change) for seed in OTHERS])

    assert found["verdict"] == "drift"
    assert name in differing(found)
    assert found["drift"] == max(figure["excess"] for figure in found["figures"].values())  # exact: one of them
    assert name in found["sentence"]


def test_few_photos_are_never_drift(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    found = check(model, tmp_path, [photo(seed, light=0.1) for seed in range(12)])

    assert found["verdict"] == "too few photos"
    assert found["drift"] == 0
    assert found["sentence"].startswith("12 different photos are too few to say")
    assert found["figures"]["brightness"]["distance"] > 0.9


def test_a_photo_that_is_sent_every_minute_counts_once(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    found = check(model, tmp_path, [photo(0, light=0.1)] * 60 + [photo(seed) for seed in OTHERS[1:]])

    assert found["verdict"] == "no drift"
    assert found["records"] == {"compared": 60, "photo sent before": 59}


def test_of_many_records_an_even_part_is_read(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    found = check(model, tmp_path, [photo(seed) for seed in OTHERS], "--most", "40")

    assert found["records"] == {"compared": 40, "left out of the sample": 20}
    assert (found["from"], found["to"]) == ("2026-11-28T06:00:00Z", "2026-11-28T06:00:58Z")


def test_without_a_call_there_are_no_figures(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    found = check(model, tmp_path, [])

    assert found["verdict"] == "too few photos"
    assert found["figures"] == {}


def test_the_packed_artifact_gives_the_same_figures(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    packed = tmp_path / "model.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(model[0], arcname=".")
    photos = [photo(seed) for seed in range(40)]
    first = check(model, tmp_path / "1", photos)
    assert check((packed, model[1]), tmp_path / "2", photos) == first  # exact: the same computation twice


def test_the_figures_are_one_line_of_metrics(
    model: tuple[Path, Classifier], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dark = [photo(seed, light=0.4) for seed in OTHERS]
    found = check(model, tmp_path, dark, "--metrics", "Kennel/Drift", "--dimension", "Endpoint=dogs")

    line = json.loads(capsys.readouterr().out.splitlines()[0])
    (definition,) = line["_aws"]["CloudWatchMetrics"]
    assert definition["Namespace"] == "Kennel/Drift"
    assert definition["Dimensions"] == [["Endpoint"]]
    assert line["Endpoint"] == "dogs"
    values = {each["Name"]: line[each["Name"]] for each in definition["Metrics"]}
    assert values["Drift"] == found["drift"] > 0  # exact: written from one value
    assert values["Photos"] == 60
    assert values["DriftOfBrightness"] == found["figures"]["brightness"]["distance"]  # exact: the same
    assert set(values) == {
        "Drift", "DriftOfConfidence", "DriftOfBreeds", "DriftOfBrightness", "DriftOfSize", "Photos",
    }  # fmt: skip


def test_the_page_needs_no_network_and_has_no_photo(model: tuple[Path, Classifier], tmp_path: Path) -> None:
    check(model, tmp_path, [photo(seed, light=0.4) for seed in OTHERS])

    page = (tmp_path / "out" / "drift.html").read_text()
    assert "Drift: the photos differ from the test photos in" in page
    assert "http" not in page.replace('<meta http-equiv="Content-Security-Policy"', "")
    assert "<img" not in page
    assert "base64" not in page
    assert page.count("<svg") == 3


def test_an_artifact_without_a_reference_is_an_error_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KENNEL_EXIT_MESSAGE", str(tmp_path / "output" / "message"))
    folder = write_artifact(tmp_path / "old")
    assert main(["--captured", str(tmp_path), "--model", str(folder), "--out", str(tmp_path / "out")]) == 1

    sentence = capsys.readouterr().err.splitlines()[-1]
    assert "Train again" in sentence
    assert (tmp_path / "output" / "message").read_text() == sentence


@pytest.mark.parametrize("content", [b"{}", b'{"format": "kennel-test-photos-1", "confidence": []}', b"\xff"])
def test_a_damaged_reference_is_an_error(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    add_reference(write_artifact(tmp_path / "model"), content)
    options = ["--captured", str(tmp_path), "--model", str(tmp_path / "model"), "--out", str(tmp_path / "out")]
    assert main(options) == 1
    assert "test-photos.json of the artifact is invalid" in capsys.readouterr().err
