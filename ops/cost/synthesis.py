"""The templates of an environment, synthesised into a temporary folder: offline, and never those of another run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ops.cost.price_table import CostError

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "kennel.environment"


@contextmanager
def synthesised(environment: str, overrides: Mapping[str, str]) -> Iterator[Path]:
    """A folder with the templates that app.py writes for an environment and these settings.

    It runs the app as the CDK command line does, which would need node's packages. Raises CostError with what the app
    printed, if it ends with an error.
    """
    flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    with TemporaryDirectory(prefix="kennel-cost-") as folder:
        variables = {
            "JSII_NODE": str(Path(sys.executable).parent / "node"),  # the one that jsii supports
            **os.environ,
            "CDK_OUTDIR": folder,
            "CDK_CONTEXT_JSON": json.dumps({**flags, ENVIRONMENT: environment, **overrides}),
            "CDK_VALIDATION": "false",  # it takes longer than the synthesis, and the deploy does it
        }
        run = subprocess.run(
            [sys.executable, "app.py"], cwd=ROOT, env=variables, text=True, capture_output=True, check=False
        )
        if run.returncode:
            raise CostError(_reason(run.stderr))
        yield Path(folder)


def _reason(printed: str) -> str:
    lines = printed.strip().splitlines() or ["it printed nothing."]
    if lines[-1].startswith("kennel: "):
        return lines[-1].removeprefix("kennel: ")
    return f"app.py cannot write the templates: {lines[-1]} `make synth` shows all that it prints."
