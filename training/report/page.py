"""The page: index.html with its pictures and charts inside it."""

import base64
import io
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from inference.artifact import Manifest
from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from training.data.dataset import DataSet, Photo
from training.evaluation.predictions import Answers
from training.log import emit
from training.report import PAGE, charts
from training.report.findings import Findings, Mistake, findings, interval, shown

MOST_MISTAKES = 20
_MOST_PAIRS = 12
_MOST_IN_MATRIX = 12
_PICTURE = 240
"""Pixels of a mistake's longer side."""


def publish(folder: Path, page: Callable[[], str]) -> None:
    """Write `folder`/index.html. Whatever keeps it from being made costs a line in the log, and never the model."""
    try:
        content = page()
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{PAGE}.partial"
        temporary.write_text(content, encoding="utf-8", errors="replace")
        temporary.replace(folder / PAGE)
    except OSError as error:
        emit(stage="report", failed=f"The report cannot be written into {folder} ({error.strerror}).")
    except Exception as error:  # a mistake of ours, after hours that were paid for
        traceback.print_exc()
        emit(stage="report", failed=f"{type(error).__name__}: {error}")


def render(
    *,
    data: DataSet,
    manifest: Manifest,
    history: Sequence[Mapping[str, float]],
    valid: Answers,
    test: Answers,
) -> str:
    """The page as HTML that asks for nothing over the network.

    history: of each judged `epoch`, `valid_loss` and `valid_accuracy`, and `train_loss` of all but epoch 0, which is
        the fitted head that full mode begins with.
    """
    found = findings(test, data.labels)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(breed=shown, percent=_percent)
    training = manifest.training
    return environment.get_template("page.html").render(
        manifest=manifest,
        training=training,
        valid=valid,
        test=test,
        found=found,
        interval=interval(sum(breed.right for breed in found.breeds), len(test.photos)),
        top_5=_top_accuracy(test, 5),
        charts=_charts(history, test, found, kept=int(training["metrics"]["epoch"])),
        pairs=found.pairs[:_MOST_PAIRS],
        mistakes=[(mistake, data.name(mistake.photo), _picture(mistake)) for mistake in found.mistakes[:MOST_MISTAKES]],
        train_photos=_per_breed(data.used("train"), data.labels),
    )


def _charts(history: Sequence[Mapping[str, float]], test: Answers, found: Findings, *, kept: int) -> dict[str, Any]:
    def line(figure: str) -> dict[int, float]:
        return {int(judged["epoch"]): judged[figure] for judged in history if figure in judged}

    losses = {"training": line("train_loss"), "validation": line("valid_loss")}
    right = {"validation": line("valid_accuracy")}
    return {
        "loss": charts.curves(losses, name="loss", kept=kept) if history else "",
        "accuracy": charts.curves(right, name="accuracy", kept=kept, percent=True) if history else "",
        "before": charts.reliability_diagram(test.before),
        "after": charts.reliability_diagram(test.after),
        "confusion": charts.confusion_matrix(found, _worst_breeds(found)) if found.pairs else "",
    }


def _worst_breeds(found: Findings) -> list[str]:
    """The breeds of the worst pairs, those that are confused with each other side by side."""
    chosen: list[str] = []
    for pair in found.pairs:
        new = [breed for breed in (pair.true, pair.said) if breed not in chosen]
        if len(chosen) + len(new) <= _MOST_IN_MATRIX:
            chosen += new
    return chosen


def _top_accuracy(answers: Answers, count: int) -> float | None:
    """Share of the photos whose breed is among the first `count`; None where there are no more breeds than that."""
    if answers.logits.shape[1] <= count:
        return None
    first = (-answers.logits).argsort(axis=1)[:, :count]
    return float((first == answers.targets[:, None]).any(axis=1).mean())


def _per_breed(photos: Sequence[Photo], labels: Sequence[str]) -> dict[str, int]:
    counts = dict.fromkeys(labels, 0)
    for photo in photos:
        counts[labels[photo.label]] += 1
    return counts


def _picture(mistake: Mistake) -> str:
    """A data: URL, small enough that twenty of them are a fraction of a megabyte; empty where the photo is gone."""
    try:
        image = decode(mistake.photo.path.read_bytes(), shorter_side=_PICTURE)
    except (OSError, PhotoError):
        return ""
    image.thumbnail((_PICTURE, _PICTURE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _percent(share: float | None, decimals: int = 1) -> str:
    return "—" if share is None else f"{100 * share:.{decimals}f}\u00a0%"
