"""The report page: index.html, which contains its pictures and charts."""

import base64
import io
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from inference.artifact import Manifest
from inference.photo.colour import to_srgb
from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from training.data.dataset import DataSet, Photo
from training.evaluation.predictions import Predictions
from training.log import emit, emit_error
from training.report import PAGE, charts
from training.report.findings import Findings, Mistake, display_name, findings, interval

MOST_MISTAKES = 20
_MOST_PAIRS = 12
_MOST_IN_MATRIX = 12
_PICTURE = 240
"""Pixels of a mistake's longer side."""


def publish(folder: Path, page: Callable[[], str]) -> None:
    """Write `folder`/index.html. If that fails, log the error and continue: the model is already written."""
    try:
        content = page()
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{PAGE}.partial"
        temporary.write_text(content, encoding="utf-8", errors="replace")
        temporary.replace(folder / PAGE)
    except OSError as error:
        emit(stage="report", failed=f"The report cannot be written into {folder} ({error.strerror}).")
    except Exception as error:  # a bug in the report must not cost hours of training
        emit_error(traceback.format_exc().rstrip())
        emit(stage="report", failed=f"{type(error).__name__}: {error}")


def render(
    *,
    data: DataSet,
    manifest: Manifest,
    history: Sequence[Mapping[str, float]],
    valid: Predictions,
    test: Predictions,
) -> str:
    """The page as HTML that needs no network.

    history: per epoch `epoch`, `valid_loss`, `valid_accuracy` and `train_loss`. Epoch 0, the fitted head that full mode
        starts from, has no `train_loss`.
    """
    found = findings(test, data.labels)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(breed=display_name, percent=_percent)
    training = manifest.training
    return environment.get_template("page.html").render(
        manifest=manifest,
        training=training,
        valid=valid,
        test=test,
        found=found,
        interval=interval(sum(breed.correct for breed in found.breeds), len(test.photos)),
        top_5=_top_accuracy(test, 5),
        charts=_charts(history, test, found, kept=int(training["metrics"]["epoch"])),
        pairs=found.pairs[:_MOST_PAIRS],
        mistakes=[(mistake, data.name(mistake.photo), _picture(mistake)) for mistake in found.mistakes[:MOST_MISTAKES]],
        train_photos=_per_breed(data.used("train"), data.labels),
    )


def _charts(history: Sequence[Mapping[str, float]], test: Predictions, found: Findings, *, kept: int) -> dict[str, Any]:
    def line(metric: str) -> dict[int, float]:
        return {int(epoch["epoch"]): epoch[metric] for epoch in history if metric in epoch}

    losses = {"training": line("train_loss"), "validation": line("valid_loss")}
    accuracies = {"validation": line("valid_accuracy")}
    return {
        "loss": charts.curves(losses, name="loss", kept=kept) if history else "",
        "accuracy": charts.curves(accuracies, name="accuracy", kept=kept, percent=True) if history else "",
        "before": charts.reliability_diagram(test.before),
        "after": charts.reliability_diagram(test.after),
        "confusion": charts.confusion_matrix(found, _worst_breeds(found)) if found.pairs else "",
    }


def _worst_breeds(found: Findings) -> list[str]:
    """The breeds of the worst pairs, with confused breeds next to each other."""
    chosen: list[str] = []
    for pair in found.pairs:
        new = [breed for breed in (pair.true, pair.predicted) if breed not in chosen]
        if len(chosen) + len(new) <= _MOST_IN_MATRIX:
            chosen += new
    return chosen


def _top_accuracy(predictions: Predictions, count: int) -> float | None:
    """Share of the photos whose breed is among the `count` most likely; None if there are no more breeds than that."""
    if predictions.logits.shape[1] <= count:
        return None
    first = (-predictions.logits).argsort(axis=1)[:, :count]
    return float((first == predictions.targets[:, None]).any(axis=1).mean())


def _per_breed(photos: Sequence[Photo], labels: Sequence[str]) -> dict[str, int]:
    counts = dict.fromkeys(labels, 0)
    for photo in photos:
        counts[labels[photo.label]] += 1
    return counts


def _picture(mistake: Mistake) -> str:
    """A data: URL, small enough that twenty of them are a fraction of a megabyte; empty if the photo cannot be read."""
    try:
        image = decode(mistake.photo.path.read_bytes(), shorter_side=_PICTURE)
    except (OSError, PhotoError):
        return ""
    image.thumbnail((_PICTURE, _PICTURE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    to_srgb(image).save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _percent(share: float | None, decimals: int = 1) -> str:
    return "—" if share is None else f"{100 * share:.{decimals}f}\u00a0%"
