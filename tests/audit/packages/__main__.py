"""Checks the locked packages for advisories and lists them. `make audit` runs this in `.venv-advisories`.

    python -m tests.audit.packages FOLDER

The lists of components are written into FOLDER. An advisory that is not accepted fails the audit. A service that cannot
be reached does not: whether a commit passes must not depend on it.
"""

import sys
from pathlib import Path

from tests.audit.packages import components
from tests.audit.packages.advisories import ACCEPTED, ServiceUnreachableError, advisories, faults
from tests.audit.packages.locks import every_pin


def main(folder: Path, programs: Path) -> int:
    """programs: the folder with pip-audit and cyclonedx-py. Returns the exit status."""
    written = components.write(programs / "cyclonedx-py", folder)
    print(f"audit: the components of {len(written)} locks are listed in {folder}")
    pins = every_pin()
    try:
        found = advisories(programs / "pip-audit", pins)
    except ServiceUnreachableError as error:
        print(
            f"audit: {len(pins)} packages were not checked for advisories, because the service did not answer "
            f"({error}). Run make audit again where osv.dev is reachable, or name a mirror in PIP_AUDIT_OSV_URL."
        )
        return 0
    sentences = list(faults(found))
    for sentence in sentences:
        print(f"audit: {sentence}", file=sys.stderr)
    if not sentences:
        print(f"audit: {len(pins)} packages have no advisory; {len(ACCEPTED)} accepted")
    return len(sentences) > 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.executable).parent))
