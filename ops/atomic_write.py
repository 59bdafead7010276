"""Files that are there whole or not at all."""

from pathlib import Path
from tempfile import NamedTemporaryFile

PART_PATTERN = ".*.part"
"""Names of what a killed process may leave behind."""


def write_whole(path: Path, content: bytes) -> None:
    """Write under a temporary name beside `path`, then rename: a reader never sees half a file."""
    with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            Path(part.name).chmod(0o644)
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
