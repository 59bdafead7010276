"""A list of components in CycloneDX's form for each lock: what is installed, in which version, with which hashes."""

import subprocess
from pathlib import Path

from tests.audit.packages.locks import LOCKS, ROOT


def write(cyclonedx: Path, folder: Path) -> list[Path]:
    """Write folder/<lock>.cdx.json for each lock, valid by CycloneDX's schema and the same each time.

    cyclonedx: the program cyclonedx-py. Returns the files. Raises RuntimeError if it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in LOCKS:
        file = folder / f"{name.removeprefix('locks/').removesuffix('.txt').replace('/', '-')}.cdx.json"
        options = ["--pyproject", "pyproject.toml", "--output-reproducible", "--validate", "--output-file", str(file)]
        command = [str(cyclonedx), "requirements", name, *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"cyclonedx-py could not list the components of {name}: {done.stderr.strip()[-500:]}")
        written.append(file)
    return written
