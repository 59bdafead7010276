"""Why photos of a source cannot be used: the counts by reason, and what to do about the most frequent one."""

from collections.abc import Mapping, Sequence

COPIES = "photos that show the same as one in the source's"
"""How the reason begins for a photo that another split has too."""
UNDECODED = "photos that cannot be decoded"
UNREAD = "files of a type that training does not read"
UNTRAINED = "photos of a breed without training photos"
"""Follows from the other reasons where they take the training photos."""
_REMEDIES = {
    COPIES: (
        "The source has the same photos in several splits: keep each in one split, or name the folder of one split "
        "alone, and its photos are divided into all three."
    ),
    UNDECODED: "Download the photos again, and save those of another type as JPEG, PNG or WebP; then split again.",
    UNREAD: "Save the photos among these files as JPEG, PNG or WebP, then split again.",
}
"""By the beginning of the reason."""


def explain(left_out: Mapping[str, Sequence[str]]) -> str:
    """Sentences for an error about a source of which too few photos can be used: the reasons, and the remedy."""
    if not left_out:
        return "Add photos, then split again."
    reasons = sorted(left_out, key=lambda reason: (reason == UNTRAINED, -len(left_out[reason]), reason))
    listed = "; ".join(f"{reason} ({len(left_out[reason])})" for reason in reasons)
    other = "Correct what is left out or add photos, then split again."
    remedy = next((remedy for start, remedy in _REMEDIES.items() if reasons[0].startswith(start)), other)
    return f"Left out: {listed}. {remedy}"
