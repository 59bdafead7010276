"""Names of folders and files: which of them are the same text, and which belong to a system and not to the photos.

docs/decisions/0083-names-of-breeds.md
"""

import unicodedata

PASSED_OVER = frozenset(
    {
        "thumbs.db",  # Windows Explorer
        "ehthumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        "@eadir",  # Synology: smaller copies of the photos, beside them
        "#recycle",
        "#snapshot",
        "@__thumb",  # QNAP
        "@recycle",
        "__macosx",  # a zip of macOS: a small file for each photo, with the photo's name
        "lost+found",  # Linux: in the root of a disk, readable by root alone
    }
)
"""Names in lower case of what systems put beside photos, in addition to hidden files and folders (.DS_Store,
.AppleDouble, .Spotlight-V100, .ipynb_checkpoints, ._photo.jpg)."""


def is_passed_over(name: str) -> bool:
    """Whether a file or folder of this name is not part of the data: training, check, upload and digest ignore it."""
    return name.startswith(".") or name.lower() in PASSED_OVER


def same_text(name: str) -> str:
    """The name in Unicode's form NFC, in which labels are written and names are compared.

    An accent can be part of its letter or a character after it. They look the same and are the same text, but not the
    same bytes: macOS and some zips write the second form. https://unicode.org/reports/tr15/
    """
    return unicodedata.normalize("NFC", name)


def alike(name: str) -> str:
    """A key that is equal for names which mean the same to a reader, or are one folder on some systems.

    They differ only in case, in spaces, hyphens, underscores and dots, in characters that are not visible (joiners,
    variation selectors), and in forms of one character such as full-width letters (Unicode's form NFKC).
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    words = "".join(_alike(character) for character in folded).split()
    return " ".join(words) or name


def _alike(character: str) -> str:
    if unicodedata.category(character) in ("Pc", "Pd", "Zs", "Zl", "Zp", "Cc") or character == ".":
        return " "
    is_variation = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return "" if is_variation or unicodedata.category(character) == "Cf" else character


def code_points(name: str) -> str:
    """The characters of a name that are not ASCII, by number, to tell apart names that look the same.

    Such as "U+00E9", or "U+0301" if the accent is a character of its own; empty for a name of ASCII alone.
    """
    return " ".join(f"U+{ord(character):04X}" for character in name if not character.isascii())


def shown(name: str) -> str:
    """The name in quotes, with the characters that are not ASCII: without them two names can look the same."""
    return f"'{name}' ({code_points(name)})" if code_points(name) else f"'{name}'"


def same_breed_twice(one: str, other: str) -> str:
    """After "DIR has": what is wrong with two different names that are the same text."""
    return (
        f"two folders of the breed {same_text(one)}: one name contains {code_points(one)}, the other "
        f"{code_points(other)}, which is the same text."
    )
