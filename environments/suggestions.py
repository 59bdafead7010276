"""Similar names, for errors about an unknown name."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str) -> str:
    """A question with the known names that look or end most like `name`; `otherwise` if none does."""
    known = list(known)
    last = name.rpartition(".")[2]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    close += [other for other in known if other.rpartition(".")[2] == last and other not in close]
    return f"Did you mean {' or '.join(close[:3])}?" if close else otherwise
