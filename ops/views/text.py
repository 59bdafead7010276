"""Words in the pictures that are drawn for the operator."""

from functools import cache

from PIL import ImageFont


@cache
def typeface(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, so that none has to be installed."""
    return ImageFont.load_default(size)


def named(label: str) -> str:
    """A breed as people write it."""
    return label.replace("_", " ")


def fitted(text: str, size: int, width: float) -> str:
    """The text, its end cut off where it is too wide."""
    font = typeface(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."


def fitted_tail(text: str, size: int, width: float) -> str:
    """The text, its beginning cut off where it is too wide: files' names differ at their ends."""
    font = typeface(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("..." + text) > width:
        text = text[1:]
    return "..." + text
