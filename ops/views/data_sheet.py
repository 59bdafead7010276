"""An image of a data check: the photos of each finding, then some photos of each breed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from contract.photos import SPLITS
from inference.photo.colour import to_srgb
from inference.photo.decode import decode
from inference.photo.errors import PhotoError
from ops.atomic_write import atomic_write
from ops.data.check import Check
from ops.data.findings import Finding
from ops.views.contact_sheet import CARD, PAPER, QUIET, RIGHT, TEXT, TRACK, WRONG, Colour
from ops.views.text import fitted, fitted_tail, named, typeface
from training.data.truncated import decode_truncated

AMBER: Colour = (206, 138, 24)
_WIDTH, _MARGIN, _GAP = 1600, 32, 12
_TILE, _CAPTION = 136, 20
_PER_BREED = 5
_OF_A_GROUP = 3
"""Photos of one group that are drawn; the last caption has the number of the others."""
_MOST_BREEDS = 150


@dataclass(frozen=True, slots=True)
class _Strip:
    """One heading with photos under it."""

    heading: str
    colour: Colour
    groups: Sequence[Sequence[str]]
    """Names of photos (split/breed/file). The photos of one group are drawn next to each other."""


def data_sheet(found: Check, path: Path) -> None:
    """Write the image to `path`: a PNG, 1600 pixels wide."""
    problems = [_strip(finding) for finding in found.findings if finding.photos and _is_of_photos(finding)]
    breeds = list(_breeds(found))[:_MOST_BREEDS]
    half = (_WIDTH - 2 * _MARGIN - _GAP) // 2
    tall, header = _TILE + _CAPTION + 40, 108
    rows = -(-len(breeds) // 2)
    height = header + len(problems) * (tall + _GAP) + rows * (tall + _GAP) + _MARGIN
    sheet = Image.new("RGB", (_WIDTH, height), PAPER)
    _header(sheet, found)
    y = header
    for strip in problems:
        _draw(sheet, found, strip, (_MARGIN, y, _WIDTH - 2 * _MARGIN, tall))
        y += tall + _GAP
    for place, strip in enumerate(breeds):
        row, column = divmod(place, 2)
        _draw(sheet, found, strip, (_MARGIN + column * (half + _GAP), y + row * (tall + _GAP), half, tall))
    png = BytesIO()
    sheet.save(png, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, png.getvalue())


def breeds_shown(found: Check) -> str:
    """The breeds on the image, as text; empty if all breeds are."""
    breeds = len(found.data.labels)
    return f"the first {_MOST_BREEDS} of {breeds} breeds" if breeds > _MOST_BREEDS else ""


def _is_of_photos(finding: Finding) -> bool:
    return "/" in finding.photos[0][0]  # the name of a photo, not of a breed


def _strip(finding: Finding) -> _Strip:
    groups = [[name.partition(": ")[0] for name in group] for group in finding.photos]
    return _Strip(finding.summary, WRONG if finding.severity == "error" else AMBER, groups)


def _breeds(found: Check) -> Iterator[_Strip]:
    for label, (breed, counts) in enumerate(found.counts().items()):
        own = [photo for photo in found.data.used("train") if photo.label == label]
        step = max(1.0, len(own) / _PER_BREED)
        spread = [found.data.name(own[int(i * step)]) for i in range(min(_PER_BREED, len(own)))]
        numbers = " / ".join(str(counts[split]) for split in SPLITS)
        yield _Strip(
            f"{named(breed)}   {numbers}", RIGHT if all(counts.values()) else AMBER, [[name] for name in spread]
        )


def _header(sheet: Image.Image, found: Check) -> None:
    pen = ImageDraw.Draw(sheet)
    errors = sum(finding.severity == "error" for finding in found.findings)
    verdict = f"{errors} errors" if errors > 1 else "1 error" if errors else "no errors"
    left = _WIDTH - _MARGIN - typeface(30).getlength(verdict)
    pen.text((left, 30), verdict, WRONG if errors else RIGHT, typeface(30))
    pen.text((_MARGIN, 30), fitted(str(found.data.folder), 30, left - 2 * _MARGIN), TEXT, typeface(30))
    counts = ", ".join(f"{len(photos)} {split}" for split, photos in found.data.splits.items())
    warnings = len(found.findings) - errors
    facts = (
        f"{len(found.data.labels)} breeds · {counts} · {warnings} warnings · next to each breed: train / valid / test"
    )
    if shown := breeds_shown(found):
        facts += f" · below: {shown}"
    pen.text((_MARGIN, 72), facts, QUIET, typeface(16))


def _draw(sheet: Image.Image, found: Check, strip: _Strip, box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    pen = ImageDraw.Draw(sheet)
    pen.rounded_rectangle((x, y, x + width - 1, y + height - 1), 10, fill=CARD, outline=TRACK, width=2)
    pen.rounded_rectangle((x, y, x + 7, y + height - 1), 3, fill=strip.colour)
    pen.text((x + 20, y + 9), fitted(strip.heading, 18, width - 40), TEXT, typeface(18))
    left = x + 20
    for drawn, group in enumerate(strip.groups):
        shown = group[:_OF_A_GROUP]
        if left + len(shown) * (_TILE + 4) > x + width - 12:
            rest = len(strip.groups) - drawn
            pen.text((x + width - 20, y + 13), f"{rest} more not shown", QUIET, typeface(13), anchor="ra")
            break
        for name in shown:
            sheet.paste(_tile(found, name), (left, y + 36))
            caption = name if len(strip.groups[0]) > 1 or strip.colour != RIGHT else name.rpartition("/")[2]
            if name is shown[-1] and len(group) > len(shown):
                caption = f"+ {len(group) - len(shown)} more photos"
            pen.text((left, y + 38 + _TILE), fitted_tail(caption, 12, _TILE - 2), QUIET, typeface(12))
            left += _TILE + 4
        left += 2 if len(group) == 1 else 24


def _tile(found: Check, name: str) -> Image.Image:
    tile = Image.new("RGB", (_TILE, _TILE), TRACK)
    path = found.data.path(name)
    try:
        if not path.is_file():  # a pipe is a finding too, and would wait without a limit
            raise FileNotFoundError(path)
        photo = to_srgb(ImageOps.contain(_decoded(path.read_bytes()), (_TILE, _TILE)))
    except (OSError, PhotoError):
        ImageDraw.Draw(tile).text((_TILE / 2, _TILE / 2), "no picture", QUIET, typeface(14), anchor="mm")
        return tile
    tile.paste(photo, ((_TILE - photo.width) // 2, (_TILE - photo.height) // 2))
    return tile


def _decoded(content: bytes) -> Image.Image:
    try:
        return decode(content, shorter_side=_TILE)
    except PhotoError:
        return decode_truncated(content, shorter_side=_TILE)[0]
