"""Text in the images that are drawn for the operator."""

from functools import cache

from PIL import ImageFont


@cache
def typeface(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in typeface, so that none has to be installed."""
    return ImageFont.load_default(size)


def named(label: str) -> str:
    """The breed of a label, with spaces."""
    return label.replace("_", " ")


def fitted(text: str, size: int, width: float) -> str:
    """The text, truncated at its end if it is too wide."""
    font = typeface(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."


def fitted_tail(text: str, size: int, width: float) -> str:
    """The text, truncated at its start if it is too wide. File names differ at their ends."""
    font = typeface(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("..." + text) > width:
        text = text[1:]
    return "..." + text
