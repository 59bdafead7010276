"""Predict the breeds in photos, one answer after the other: for a terminal, for a log, and as JSON lines."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from contract.text import printable
from inference.classifier import Prediction
from inference.photo.errors import PhotoError
from ops.model.photos import NamedPhoto, NamedPhotoError

Predict = Callable[[bytes], Sequence[Prediction]]
"""From the bytes of a photo to its most probable breeds, best first. Raises PhotoError."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoAnswer:
    """What was predicted for one photo, or why nothing was."""

    name: str
    predictions: Sequence[Prediction] = ()
    error: str = ""
    """A sentence; empty if there are predictions."""


def answers(photos: Sequence[NamedPhoto], predict: Predict) -> Iterator[PhotoAnswer]:
    """One answer for each photo, in order. A photo that cannot be read or decoded does not end the others."""
    for photo in photos:
        try:
            yield PhotoAnswer(name=photo.name, predictions=predict(photo.read()))
        except (PhotoError, NamedPhotoError) as error:
            yield PhotoAnswer(name=photo.name, error=str(error))


def as_json(answer: PhotoAnswer) -> str:
    """One line of JSON, with the field `predictions` or `error`."""
    if answer.error:
        return json.dumps({"photo": answer.name, "error": answer.error})
    breeds = [{"breed": each.breed, "probability": each.probability} for each in answer.predictions]
    return json.dumps({"photo": answer.name, "predictions": breeds})


def as_line(answer: PhotoAnswer) -> str:
    """One line for a log."""
    breeds = ", ".join(f"{printable(each.breed)} {each.probability:.1%}" for each in answer.predictions)
    return f"{printable(answer.name)}: {printable(answer.error) or breeds}"


def as_table(found: Sequence[PhotoAnswer]) -> Table:
    """A row for each photo with predictions."""
    table = Table(header_style="bold", box=SIMPLE_HEAD)
    table.add_column("photo", overflow="fold")
    most = max(len(answer.predictions) for answer in found)
    for place in range(most):
        table.add_column("breed" if place == 0 else "")
    for answer in found:
        cells = [Text(f"{each.probability:6.1%} {printable(each.breed)}") for each in answer.predictions]
        if cells:
            cells[0].stylize("bold")
        table.add_row(Text(printable(answer.name)), *cells)
    return table
