"""The report page of a training run."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from inference.artifact import Manifest
from inference.photo.preprocessing import Preprocessing
from tests.distributed.dogs import write_photos
from training.data.dataset import DataSet, scan
from training.evaluation.calibration import softmax
from training.evaluation.predictions import Predictions, served_metrics
from training.report import charts
from training.report.findings import Findings, display_name, findings, interval
from training.report.page import MOST_MISTAKES, publish, render

HISTORY = [{"epoch": epoch, "train_loss": 1.2, "valid_loss": 1.0, "valid_accuracy": 0.5} for epoch in (1, 2, 3)]
HEAD = {"epoch": 0, "valid_loss": 0.9, "valid_accuracy": 0.6}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Three breeds: Beagle, Collie, Pug; ten test photos each."""
    return scan(write_photos(tmp_path_factory.mktemp("photos"), counts={"train": 2, "valid": 2, "test": 10}))


def predictions_of(data: DataSet, predicted: Sequence[int], logit: Sequence[float] | None = None) -> Predictions:
    """The predicted breed of each test photo, and its logit; the logits of the other breeds are 0."""
    logits = np.zeros((len(predicted), len(data.labels)), np.float32)
    logits[np.arange(len(predicted)), predicted] = logit or [2.0] * len(predicted)
    return Predictions(photos=data.splits["test"][: len(predicted)], logits=logits, temperature=1.0)


def test_the_page_says_what_training_did_not_read(data: DataSet) -> None:
    page = page_of(data, predictions_of(data, correct(data)), not_read={".gif": 12, "<b>": 3})

    assert "12 <code>.gif</code>, 3 <code>&lt;b&gt;</code>" in page
    assert "did not read" not in page_of(data, predictions_of(data, correct(data)))


def correct(data: DataSet) -> list[int]:
    return [photo.label for photo in data.splits["test"]]


def page_of(data: DataSet, test: Predictions, history: Sequence[dict[str, float]] = HISTORY, **training: Any) -> str:
    made: dict[str, Any] = {
        "metrics": {"epoch": 2, "valid_loss": 1.0, "valid_accuracy": 0.5},
        "quantisation": None,
        "hyperparameters": {"label_smoothing": 0.0},
        "skipped": {},
        "truncated": {},
        "not_read": {},
        "data": "0123",
        "source": "4567",
        "processor": ["avx2", "avx512_vnni"],
        "processes": 1,
        "torch": "2",
        **training,
    }
    manifest = Manifest(precision="fp32", preprocessing=Preprocessing(), files={}, training=made)
    return render(data=data, manifest=manifest, history=history, valid=test, test=test)


class _Page(HTMLParser):
    """Which elements a page has, and what each would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.fetched: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]


def test_of_uneven_photos_the_page_shows_also_balanced_accuracy_and_macro_f1(data: DataSet) -> None:
    """Ten Beagles and one Collie, all classified as Beagles."""
    test = predictions_of(data, [0] * 11)
    metrics = served_metrics(test, test)
    assert metrics["served_test_accuracy"] == pytest.approx(10 / 11)
    for split in ("valid", "test"):
        assert metrics[f"served_{split}_balanced_accuracy"] == pytest.approx(1 / 2)
        assert metrics[f"served_{split}_macro_f1"] == pytest.approx(20 / 21 / 2)
    page = page_of(data, test)
    assert "Balanced accuracy</span><b>50.0\u00a0%</b>" in page
    assert "macro F1 47.6\u00a0%" in page


def test_breeds_and_pairs_are_counted(data: DataSet) -> None:
    predicted = correct(data)
    predicted[0:3] = [1, 1, 2]  # of ten Beagles, two are classified as Collies and one as a Pug
    predicted[10] = 0
    found = findings(predictions_of(data, predicted), data.labels)

    # exact: the matrix counts photos, in whole numbers
    assert found.matrix.tolist() == [[7, 2, 1], [1, 9, 0], [0, 0, 10]]
    beagle, collie, pug = found.breeds
    # exact: each is one division of the same two whole numbers
    assert (beagle.name, beagle.recall, beagle.precision, beagle.most_confused_with) == ("Beagle", 0.7, 7 / 8, "Collie")
    # exact: each is one division of the same two whole numbers
    assert (collie.name, collie.recall, collie.precision) == ("Collie", 0.9, 9 / 11)
    # exact: each is one division of the same two whole numbers
    assert (pug.name, pug.recall, pug.precision, pug.most_confused_with) == ("Pug", 1.0, 10 / 11, "")
    assert [(pair.true, pair.predicted, pair.count, pair.of) for pair in found.pairs] == [
        ("Beagle", "Collie", 2, 10),
        ("Beagle", "Pug", 1, 10),
        ("Collie", "Beagle", 1, 10),
    ]


def test_the_most_confident_mistakes_come_first(data: DataSet) -> None:
    predicted, logit = correct(data), [9.0] * 30
    for photo, confidence in ((4, 1.0), (14, 5.0), (24, 3.0)):
        predicted[photo], logit[photo] = (predicted[photo] + 1) % 3, confidence
    found = findings(predictions_of(data, predicted, logit), data.labels)

    assert [mistake.true for mistake in found.mistakes] == ["Collie", "Pug", "Beagle"]
    assert found.mistakes[0].confidence == pytest.approx(softmax(np.asarray([[5.0, 0, 0]])).max())


def test_a_breed_without_test_photos_has_no_recall_and_comes_last(data: DataSet) -> None:
    found = findings(predictions_of(data, correct(data)[:20]), data.labels)
    assert found.breeds[-1].name == "Pug"
    assert found.breeds[-1].recall is None


def test_the_interval_is_wilsons() -> None:
    assert np.allclose(interval(81, 263), (0.2553, 0.3662), atol=1e-4)  # the example of Newcombe 1998, table I
    # exact: Python's doubles follow IEEE 754 on every processor, without threads
    assert interval(20, 20)[1] == 1.0
    assert interval(20, 20)[0] < 0.9


@pytest.mark.parametrize(
    ("label", "name"),
    [("n02088364-beagle", "beagle"), ("Golden_retriever", "Golden retriever"), ("n02088364-", "n02088364-")],
)
def test_breed_names_are_shown_without_numbers_and_underscores(label: str, name: str) -> None:
    assert display_name(label) == name


@pytest.mark.parametrize("wrong", [0, 1, 29])
def test_the_page_fetches_nothing(data: DataSet, wrong: int) -> None:
    predicted = correct(data)
    predicted[:wrong] = [(breed + 1) % 3 for breed in predicted[:wrong]]
    content = page_of(data, predictions_of(data, predicted))
    page = _Page(content)

    assert all(address.startswith("data:image/jpeg;base64,") for address in page.fetched)
    assert len(page.fetched) == min(wrong, MOST_MISTAKES)
    assert not {"script", "link", "iframe", "object"} & set(page.elements)
    assert "url(" not in content
    assert "@import" not in content


def test_the_page_is_not_wider_than_a_phone(data: DataSet) -> None:
    """What can be wide scrolls in a box of its own; a browser showed 414 pixels of page on a screen of 320 without."""
    page = page_of(data, predictions_of(data, correct(data)), skipped={"train/Pug/1.jpg": "The photo has no bytes."})

    assert page.count("<table") == page.count('<div class="scroll"><table') == page.count("</table></div>") > 2
    assert re.search(r"\.scroll \{[^}]*overflow-x: auto", page)
    assert re.search(r"\.row > \.card \{[^}]*min-width: 0; overflow-x: auto", page)
    assert re.search(r"^svg \{[^}]*max-width: 100%", page, re.MULTILINE)
    assert re.search(r"^figure img, [^}]*width: 100%", page, re.MULTILINE)
    assert [width for width in re.findall(r"(?<!max-)\b(?:min-)?width: (\d+)px", page) if int(width) > 280] == []


def test_names_are_escaped(data: DataSet) -> None:
    hostile = DataSet(
        folder=data.folder,
        labels=("<script>alert(1)</script>", '"><img src=x>', "Pug & Co"),
        splits=data.splits,
        skipped={"train/<b>.jpg": "The photo has <no> bytes."},
    )
    predicted = [(breed + 1) % 3 for breed in correct(data)]
    page = _Page(page_of(hostile, predictions_of(hostile, predicted), skipped=hostile.skipped))
    assert "script" not in page.elements
    assert "b" in page.elements  # the tiles use it
    assert all(address.startswith("data:") for address in page.fetched)


def test_every_chart_is_valid_xml_with_a_description(data: DataSet) -> None:
    predicted = correct(data)
    predicted[:5] = [1] * 5
    predictions = predictions_of(data, predicted)
    found = findings(predictions, data.labels)
    losses = {"training": {1: 1.2, 2: 0.4}, "validation": {0: 1.0, 1: 0.8, 2: 0.5}}
    drawn = [
        charts.curves(losses, name="loss", kept=2),
        charts.curves({"validation": {1: 0.5}}, name="accuracy", kept=1, percent=True),
        charts.curves({"training": {1: 1.0}, "validation": {0: 0.5, 1: 0.6}}, name="loss", kept=0),
        charts.reliability_diagram(predictions.after),
        charts.confusion_matrix(found, ["Beagle", "Collie"]),
    ]
    for chart in drawn:
        root = ElementTree.fromstring(str(chart))  # noqa: S314 - generated above
        assert root.attrib["role"] == "img"
        assert len(root.attrib["aria-label"]) > 30
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for axis, end in (("x", width), ("y", height)):
            places = [float(place) for place in re.findall(rf' c?{axis}[12]?="([^"]+)"', str(chart))]
            assert places
            assert all(0 <= place <= end for place in places), (axis, places)
    assert "loss over 2 epochs: training from 1.2000 to 0.4000" in drawn[0]
    assert "5 photos of Beagle classified as Collie" in drawn[-1]


def test_a_kept_head_is_epoch_0_of_the_curves(data: DataSet) -> None:
    """If no epoch of full mode improves on the head, the marker is at the start of the curves."""
    metrics = {"epoch": 0, "valid_loss": 0.9, "valid_accuracy": 0.6}
    page = page_of(data, predictions_of(data, correct(data)), [HEAD, *HISTORY], metrics=metrics)
    marker = re.search(r'class="kept" x1="([^"]+)"', page)
    first = re.search(r'class="line s1"[^>]*points="([^,]+),', page)
    assert marker
    assert first
    assert marker[1] == first[1]
    assert "epoch 0, the head fitted before any fine-tuning" in page
    assert "validation from 0.9000 to 1.0000" in page


@pytest.mark.parametrize("percent", [False, True])
@pytest.mark.parametrize("values", [[0.0], [1.0], [0.7, 0.7, 0.7], [1e-4, 2e-4], [0.01, 1.0]])
def test_curves_of_any_range_have_axis_labels(values: list[float], percent: bool) -> None:
    line = dict(enumerate(values, start=1))
    chart = str(charts.curves({"validation": line}, name="loss", kept=1, percent=percent))
    assert 2 <= chart.count('class="grid"') <= 9


def test_predictions_of_breeds_outside_the_matrix_are_counted_as_other(data: DataSet) -> None:
    predicted = correct(data)
    predicted[:4] = [2] * 4
    found: Findings = findings(predictions_of(data, predicted), data.labels)
    assert "4 photos of Beagle classified as another breed" in charts.confusion_matrix(found, ["Beagle", "Collie"])


def test_the_page_shows_the_values_of_the_manifest(data: DataSet) -> None:
    predicted = correct(data)
    predicted[0] = 1
    test = predictions_of(data, predicted)
    check = {
        "keep_int8": False,
        "reason": "the models agree too rarely",
        "fp32_accuracy": 0.91,
        "int8_accuracy": 0.905,
        "accuracy_drop_error": 0.0123,
        "fp32_loss": 1.271,
        "int8_loss": 1.276,
        "loss_increase_error": 0.0042,
        "agreement": 0.97,
        "confident_photos": 150,
        "confident_changes": 3,
        "photos": 200,
        "calibration_photos": 100,
    }
    page = page_of(data, test, quantisation=check, truncated={"train/Pug/0.jpg": "90% of the photo is present."})
    assert "96.7\u00a0%" in page  # 29 of 30
    assert "the models agree too rarely" in page
    assert "loss 1.2760 against 1.2710 (standard error 0.0042)" in page
    assert "standard error of the difference 1.2 points" in page
    assert "another for 3 of the 150" in page
    assert "avx2, avx512_vnni" in page
    assert "train/Pug/0.jpg" in page
    assert f"{100 * served_metrics(test, test)['test_ece']:.1f} points" in page


def test_a_page_that_cannot_be_written_is_logged_and_does_not_fail_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    publish(tmp_path / "file", lambda: "page")
    publish(tmp_path / "report", lambda: str(1 / 0))
    first, second = capsys.readouterr().out.splitlines()
    assert "cannot be written" in first
    assert "ZeroDivisionError" in second


def test_the_page_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    publish(tmp_path / "report", lambda: "caf\udce9 of one")  # a file's name may hold bytes that are not UTF-8
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["index.html"]
