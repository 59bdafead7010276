"""Predict the breeds in photos, in the order of their names: for a terminal, for a log, and as JSON lines."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool

from rich.bar import Bar
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from contract.text import printable
from inference.photo.errors import PhotoError
from inference.prediction import Prediction
from ops.model.photos import NamedPhoto, NamedPhotoError
from ops.targets.reply import RefusedError

Predict = Callable[[bytes], Sequence[Prediction]]
"""From the bytes of a photo to its most probable breeds, best first. Raises PhotoError, or RefusedError and TargetError
of a target elsewhere."""
BAR_WIDTH = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoAnswer:
    """What was predicted for one photo, or why nothing was."""

    name: str
    predictions: Sequence[Prediction] = ()
    error: str = ""
    """A sentence; empty if there are predictions."""


def answers(photos: Sequence[NamedPhoto], predict: Predict, *, at_once: int = 1) -> Iterator[PhotoAnswer]:
    """One answer for each photo, in order. A photo that cannot be read or predicted does not end the others.

    at_once: photos that are predicted at the same time. Raises what `predict` raises for a target that cannot be asked
    at all; the answers before that are complete.
    """

    def answer(photo: NamedPhoto) -> PhotoAnswer:
        try:
            return PhotoAnswer(name=photo.name, predictions=predict(photo.read()))
        except (PhotoError, NamedPhotoError, RefusedError) as error:
            return PhotoAnswer(name=photo.name, error=str(error))

    if at_once == 1:
        yield from map(answer, photos)
        return
    with ThreadPool(min(at_once, len(photos) or 1)) as pool:  # its threads do not delay the end of the process
        yield from pool.imap(answer, photos)


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
    """A row with a bar for each breed of each photo with predictions."""
    table = Table(header_style="bold", box=SIMPLE_HEAD)
    table.add_column("photo", overflow="fold")
    table.add_column("breed", overflow="fold")
    table.add_column("", width=BAR_WIDTH)
    for answer in found:
        for place, each in enumerate(answer.predictions):
            text = Text(f"{each.probability:6.1%} {printable(each.breed)}", style="" if place else "bold")
            name = "" if place else printable(answer.name)
            table.add_row(Text(name), text, Bar(1, 0, each.probability, width=BAR_WIDTH))
    return table
