"""Symbolic links in a data folder: where they may lead.

A folder of photos that comes from elsewhere may have a link to any file of this machine. Training would read it, and an
upload would send it to the bucket.
"""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contract.text import printable

OPTION = "--links-to"
_HOMES = (Path("/home"), Path("/Users"))
"""The folders of the users' home folders, on Linux and macOS."""
_OF_ROOT = Path("/root")


@dataclass(slots=True)
class Links:
    """The links of one data folder that lead out of it."""

    folder: Path
    allowed: Path | None = None
    """Another folder that links may lead to."""
    refused: list[Path] = field(default_factory=list)
    _roots: Sequence[Path] = ()

    def leads_out(self, path: Path) -> bool:
        """Whether the path is a link to something outside, which is then in `refused`. Its folder is no such link."""
        if not path.is_symlink():
            return False
        if not self._roots:
            self._roots = [root.resolve() for root in (self.folder, self.allowed) if root is not None]
        target = path.resolve()
        if any(target.is_relative_to(root) for root in self._roots):
            return False
        self.refused.append(path)
        return True

    def places(self) -> list[Path]:
        """The folders that the links in `refused` lead into, without repetitions and in order."""
        return sorted({path.resolve().parent for path in self.refused})

    def remedy(self) -> str:
        """What to do about the links in `refused`: the option with the folder that they lead into, if it is narrow."""
        places = self.places()
        common = Path(os.path.commonpath(places))
        if not _is_wide(common, self.folder.resolve()):
            return (
                "Copy what it leads to into the folder. Or name a folder that its links may lead to, for data check, "
                f"data upload and train.py: {OPTION} {printable(shlex.quote(str(common)))}"
            )
        where = " and to ".join(printable(shlex.quote(str(place))) for place in places[:2])
        more = f" and to {len(places) - 2} more folders" if len(places) > 2 else ""
        every = "All that they lead to needs to be" if len(places) == 1 else "Each of them needs to be"
        return (
            f"The links lead to {where}{more}. {every} inside one named folder ({OPTION} DIR), which should contain "
            "nothing else; or copy the photos into the data folder."
        )


def _is_wide(place: Path, photos: Path) -> bool:
    """Whether the folder has far more than photos: the root, a home folder, or what contains one or the data folder."""
    try:
        homes = [Path.home().resolve(), _OF_ROOT, *_HOMES]
    except RuntimeError:  # a container's user may have none
        homes = [_OF_ROOT, *_HOMES]
    return place.parent in _HOMES or any(inner.is_relative_to(place) for inner in (photos, *homes))
