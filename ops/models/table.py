"""What `kennel models` prints."""

import json
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.text import printable
from ops.models.serving import Serving
from ops.models.versions import Version

STYLES = {"Approved": "green", "Rejected": "bold red"}


def print_versions(found: Sequence[Version], endpoint: str, serving: Serving | None, console: Console) -> None:
    """Print a row for each version, and what the endpoint serves."""
    if found:
        table = Table(header_style="bold", box=SIMPLE_HEAD)
        for column in ("version", "registered", "accuracy", "calibration error", "temperature", "photos", "approval"):
            table.add_column(column, justify="right" if column in ("version", "accuracy") else "left")
        table.add_column("serves")
        for version in found:
            table.add_row(
                str(version.number),
                f"{version.created:%Y-%m-%d %H:%M}",
                _shown(version.accuracy),
                _shown(version.calibration_error),
                _shown(version.temperature),
                printable(version.data_digest),
                Text(printable(version.approval), STYLES.get(version.approval, "yellow")),
                Text("yes", "bold green") if _serves(version, serving) else "",
            )
        console.print(table)
        for version in found:
            if version.approval != "Approved" and version.reason:
                console.print(Text(f"version {version.number}: {printable(version.reason)}"), soft_wrap=True)
    else:
        console.print("No training is registered yet. A deploy registers each one when it has ended: make deploy")
    console.print(Text(_about(found, endpoint, serving)), soft_wrap=True)


def as_json(found: Sequence[Version], endpoint: str, serving: Serving | None) -> str:
    """The same for programs."""
    return json.dumps(
        {
            "endpoint": {
                "name": endpoint,
                "status": serving.status if serving else None,
                "model_data": serving.artifact if serving else None,
                "version": next((version.number for version in found if _serves(version, serving)), None),
            },
            "versions": [
                {
                    "version": version.number,
                    "registered": version.created.isoformat(),
                    "approval": version.approval,
                    "reason": version.reason,
                    "model_data": version.artifact,
                    "accuracy": version.accuracy,
                    "calibration_error": version.calibration_error,
                    "temperature": version.temperature,
                    "serves": _serves(version, serving),
                    "properties": version.properties,
                }
                for version in found
            ],
        },
        indent=2,
    )


def _serves(version: Version, serving: Serving | None) -> bool:
    return serving is not None and bool(version.artifact) and version.artifact == serving.artifact


def _about(found: Sequence[Version], endpoint: str, serving: Serving | None) -> str:
    if serving is None:
        return f"There is no endpoint {printable(endpoint)}, so none of them serves."
    at = f"The endpoint {printable(endpoint)} is {serving.status}"
    served = next((version for version in found if _serves(version, serving)), None)
    if served:
        return f"{at} and serves version {served.number}. Serve another one: kennel rollback VERSION"
    return f"{at} and serves {printable(serving.artifact)}, which is none of the versions above."


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
