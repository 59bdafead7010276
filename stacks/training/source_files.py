"""Pack the files that training hosts run into a reproducible tar. Without CDK, so that a rehearsal can use it too."""

import io
import tarfile
from functools import cache
from pathlib import Path

from stacks.common.sources import content, sources

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("contract", "training", "inference")
"""`training` verifies its artifact with `inference` and takes its options from `contract`."""
REPORT_PAGE = "training/report/page.html"
"""The template of the job's report, the only file beside the modules that the job reads."""
REQUIREMENTS = "training/requirements.txt"
"""The packages that AWS's training image lacks. The toolkit installs them from the root of the archive."""
HOST_REQUIREMENTS = "training/requirements-host.txt"
"""The packages that a host with torch alone lacks. The workbench's host installs them."""


@cache
def pack(root: Path) -> bytes:
    """The tar of FOLDERS under `root`: sorted by name, without owners, times and a leading ./"""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, found in sorted(_members(root).items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(found)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(found))
    return buffer.getvalue()


def _members(root: Path) -> dict[str, bytes]:
    members = sources(root, packages=FOLDERS, files=[REPORT_PAGE, HOST_REQUIREMENTS])
    requirements = root / REQUIREMENTS
    return {**members, requirements.name: content(requirements)}
