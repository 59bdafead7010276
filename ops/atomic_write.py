"""Write a file so that a reader sees either all of it or none of it."""

from pathlib import Path
from tempfile import NamedTemporaryFile


def atomic_write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write `content` under a temporary name next to `path`, then rename it."""
    with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            Path(part.name).chmod(mode)
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
