"""Known vulnerabilities of the locked packages, which pip-audit asks OSV (osv.dev) about."""

import datetime
import json
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.audit.packages.locks import Pin, layers

UNREACHABLE = re.compile(
    r"(?:requests\.exceptions|pip_audit\._service\.interface|urllib3\.exceptions)\.\w+(?:: |$)|Could not connect to "
)
"""How pip-audit's last lines begin if the service did not answer, or answered with an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """An advisory that does not fail the audit."""

    package: str
    reason: str
    """Why it does no harm here, or why there is no remedy yet."""
    on: datetime.date
    """When this was decided."""


ACCEPTED: Mapping[str, Accepted] = {}
"""By the advisory's id, such as CVE-2026-12345. An entry without an advisory is an error."""


@dataclass(frozen=True, slots=True)
class Advisory:
    """One advisory about one pinned package."""

    package: str
    version: str
    ids: tuple[str, ...]
    """Its id in one database, and then those in others."""
    fixed_in: tuple[str, ...]


class ServiceUnreachableError(Exception):
    """The advisory service did not answer. The message is its client's reason."""


def advisories(pip_audit: Path, pins: Collection[Pin]) -> list[Advisory]:
    """Every advisory about these packages. The service is OSV's, or the one that PIP_AUDIT_OSV_URL names.

    pip_audit: the program. Raises ServiceUnreachableError, and RuntimeError if pip-audit fails for another reason or
    does not report on each package.
    """
    found: list[Advisory] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, layer in enumerate(layers(pins)):
            file = Path(folder) / f"{number}.txt"
            file.write_text("".join(f"{name}=={version}\n" for name, version in layer))
            found += _audited(pip_audit, file, layer)
    return found


def faults(found: Collection[Advisory], accepted: Mapping[str, Accepted] = ACCEPTED) -> Iterator[str]:
    """A sentence for each advisory that is not accepted, and for each entry of `accepted` that has no advisory."""
    for advisory in found:
        if not any(identity in accepted for identity in advisory.ids):
            remedy = (
                f"upgrade to {' or '.join(advisory.fixed_in)}" if advisory.fixed_in else "there is no fixed version"
            )
            yield (
                f"{advisory.package} {advisory.version} has the advisory {' = '.join(advisory.ids)}: {remedy}, or list "
                "it with a reason and the date in ACCEPTED of tests/audit/packages/advisories.py"
            )
    reported = {(advisory.package, identity) for advisory in found for identity in advisory.ids}
    for identity, entry in accepted.items():
        if (entry.package, identity) not in reported:
            yield f"{identity} of {entry.package} is accepted, but is not reported any more: remove the entry"


def _audited(pip_audit: Path, file: Path, layer: Collection[Pin]) -> list[Advisory]:
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--desc", "off"]
    command = [str(pip_audit), "--vulnerability-service", "osv", *options, "--requirement", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        last = [line for line in done.stderr.splitlines() if UNREACHABLE.search(line)]
        if last:
            raise ServiceUnreachableError(last[-1].strip()) from None
        raise RuntimeError(f"pip-audit ended with {done.returncode}: {done.stderr.strip()[-500:]}") from None
    audited = {(package["name"], package["version"]) for package in report["dependencies"] if "version" in package}
    if left_out := {pin for pin in layer if pin not in audited}:
        raise RuntimeError(f"pip-audit did not report on {', '.join(map('=='.join, sorted(left_out)))}")
    return [_advisory(package, vuln) for package in report["dependencies"] for vuln in package["vulns"]]


def _advisory(package: Mapping[str, Any], vuln: Mapping[str, Any]) -> Advisory:
    ids = (vuln["id"], *vuln["aliases"])
    return Advisory(package["name"], package["version"], ids, tuple(vuln["fix_versions"]))
