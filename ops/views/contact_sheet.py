"""An image of predictions: each photo with its true breed, its top three predictions, and a green or red frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path
from statistics import median

from PIL import Image, ImageDraw, ImageOps

from ops.atomic_write import atomic_write
from ops.views.text import fitted, named, typeface

Colour = tuple[int, int, int]
PAPER: Colour = (246, 245, 242)
CARD: Colour = (255, 255, 255)
TEXT: Colour = (32, 34, 38)
QUIET: Colour = (134, 138, 146)
TRACK: Colour = (234, 235, 238)
RIGHT: Colour = (46, 160, 96)
WRONG: Colour = (214, 62, 62)

MOST_CELLS = 60
_CELL_WIDTH, _PHOTO_HEIGHT, _PREDICTION_HEIGHT, _GAP, _MARGIN, _HEADER = 236, 196, 34, 16, 32, 108
_PREDICTIONS = 3
_CELL_HEIGHT = _PHOTO_HEIGHT + 48 + _PREDICTIONS * _PREDICTION_HEIGHT


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One photo and its predictions."""

    photo: bytes | Path
    """The encoded photo, or its path."""
    true_label: str
    predictions: Sequence[tuple[str, float]]
    """Breeds with their probabilities, best first."""
    milliseconds: float

    @property
    def is_right(self) -> bool:
        """Whether the top prediction is the true breed."""
        return bool(self.predictions) and self.predictions[0][0] == self.true_label


def contact_sheet(answers: Sequence[Answer], path: Path, *, title: str) -> None:
    """Write the sheet as a PNG, at most 1600 pixels wide.

    The header counts every prediction. If there are more than cells, the grid shows the wrong ones first, and fills
    the other cells with an even selection of the correct ones. Raises `ValueError` if there are no predictions.
    """
    if not answers:
        raise ValueError("There are no predictions for a contact sheet; classify at least one photo first.")
    shown = _chosen(answers)
    columns = _columns(len(shown))
    rows = ceil(len(shown) / columns)
    width = 2 * _MARGIN + columns * (_CELL_WIDTH + _GAP) - _GAP
    sheet = Image.new("RGB", (width, _HEADER + _MARGIN + rows * (_CELL_HEIGHT + _GAP) - _GAP), PAPER)
    _header(sheet, answers, len(shown), title)
    for place, answer in enumerate(shown):
        row, column = divmod(place, columns)
        _cell(sheet, answer, _MARGIN + column * (_CELL_WIDTH + _GAP), _HEADER + row * (_CELL_HEIGHT + _GAP))
    png = BytesIO()
    sheet.save(png, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, png.getvalue())


def _columns(cells: int) -> int:
    """A grid slightly wider than tall, with at least three columns, so that the header fits."""
    return min(6, max(3, ceil(sqrt(1.4 * cells))))


def _chosen(answers: Sequence[Answer]) -> list[Answer]:
    if len(answers) <= MOST_CELLS:
        return list(answers)
    wrong = [i for i, answer in enumerate(answers) if not answer.is_right][:MOST_CELLS]
    right = [i for i, answer in enumerate(answers) if answer.is_right]
    room = min(MOST_CELLS - len(wrong), len(right))
    spread = [right[i * len(right) // room] for i in range(room)]
    return [answers[i] for i in sorted(wrong + spread)]


def _header(sheet: Image.Image, answers: Sequence[Answer], shown: int, title: str) -> None:
    pen = ImageDraw.Draw(sheet)
    right = sum(answer.is_right for answer in answers)
    share = right / len(answers)
    figure, font = f"{100 * share:.1f} %", typeface(34)
    left = sheet.width - _MARGIN - font.getlength(figure)
    pen.text((left, 30), figure, TEXT, font)
    pen.text((_MARGIN, 30), fitted(title, 30, left - 2 * _MARGIN), TEXT, typeface(30))
    some = "" if shown == len(answers) else f" · {shown} shown"
    typical = median(answer.milliseconds for answer in answers)
    facts = f"{right} of {len(answers)} right{some} · median {typical:.0f} ms"
    pen.text((_MARGIN, 72), facts, QUIET, typeface(16))
    bar = (sheet.width - _MARGIN - 200, 78, sheet.width - _MARGIN, 86)
    pen.rounded_rectangle(bar, 4, fill=WRONG if right < len(answers) else RIGHT)
    if 0 < right < len(answers):
        pen.rounded_rectangle((bar[0], bar[1], bar[0] + max(8, 200 * share), bar[3]), 4, fill=RIGHT)


def _cell(sheet: Image.Image, answer: Answer, x: int, y: int) -> None:
    pen = ImageDraw.Draw(sheet)
    colour = RIGHT if answer.is_right else WRONG
    pen.rounded_rectangle((x, y, x + _CELL_WIDTH - 1, y + _CELL_HEIGHT - 1), 10, fill=CARD, outline=colour, width=4)
    area = (_CELL_WIDTH - 24, _PHOTO_HEIGHT - 12)
    photo = _photo(answer, area)
    pen.rectangle((x + 12, y + 12, x + 11 + area[0], y + 11 + area[1]), fill=TRACK)
    sheet.paste(photo, (x + 12 + (area[0] - photo.width) // 2, y + 12 + (area[1] - photo.height) // 2))

    time, quiet = f"{answer.milliseconds:.0f} ms", typeface(13)
    right, top = x + _CELL_WIDTH - 14, y + _PHOTO_HEIGHT + 8
    left = right - quiet.getlength(time)
    pen.text((left, top + 4), time, QUIET, quiet)
    pen.text((x + 14, top), fitted(named(answer.true_label), 18, left - x - 22), TEXT, typeface(18))
    for place, (breed, probability) in enumerate(answer.predictions[:_PREDICTIONS]):
        bar = RIGHT if breed == answer.true_label else WRONG if place == 0 else QUIET
        _prediction(pen, breed, probability, x + 14, right, top + 32 + place * _PREDICTION_HEIGHT, bar)


def _prediction(
    pen: ImageDraw.ImageDraw, breed: str, probability: float, x: int, right: int, y: int, colour: Colour
) -> None:
    """A line with the breed and its probability, above a bar of that length."""
    font, figure = typeface(14), f"{100 * probability:.1f} %"
    left = right - font.getlength(figure)
    pen.text((x, y), fitted(named(breed), 14, left - x - 8), QUIET if colour == QUIET else TEXT, font)
    pen.text((left, y), figure, QUIET if colour == QUIET else TEXT, font)
    pen.rounded_rectangle((x, y + 20, right, y + 25), 2, fill=TRACK)
    length = (right - x) * min(max(probability, 0.0), 1.0)
    if length >= 2:
        pen.rounded_rectangle((x, y + 20, x + length, y + 25), 2, fill=colour)


def _photo(answer: Answer, area: tuple[int, int]) -> Image.Image:
    source = BytesIO(answer.photo) if isinstance(answer.photo, bytes) else answer.photo
    try:
        with Image.open(source) as photo:
            return ImageOps.contain(ImageOps.exif_transpose(photo).convert("RGB"), area, Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError):  # Pillow's errors for a missing or damaged file
        blank = Image.new("RGB", area, TRACK)
        ImageDraw.Draw(blank).text((area[0] / 2, area[1] / 2), "no picture", QUIET, typeface(16), anchor="mm")
        return blank
