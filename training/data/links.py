"""Symbolic links in a data folder: where they may lead.

A folder of photos that comes from elsewhere may have a link to any file of this machine. Training would read it, and an
upload would send it to the bucket.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

OPTION = "--links-to"


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

    def common_target(self) -> str:
        """The folder that all links in `refused` lead into."""
        return os.path.commonpath([path.resolve().parent for path in self.refused])
