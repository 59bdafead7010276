"""A Python program in the engine's environment, with the variables that the local AWS gives to the engine."""

import subprocess
from pathlib import Path

from rehearsal.cloud.environment import EngineSettings
from rehearsal.cloud.local import NODE_PACKAGES, PYTHON, REPOSITORY

ROOT_KEY, ROOT_SECRET = "AKIA0123456789ABCDEF", "the root's secret"


def run_in_engine(program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run Python code where the engine is installed. folder: an empty folder for what it writes."""
    (folder / "tmp").mkdir()
    settings = EngineSettings(
        port=1,
        folder=folder,
        account="000000000000",
        region="us-east-1",
        root_key=ROOT_KEY,
        root_secret=ROOT_SECRET,
        node_packages=NODE_PACKAGES,
        state_machine_speed=1,
    )
    variables = {**settings.variables(), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run([PYTHON, "-c", program], env=variables, cwd=folder, capture_output=True, text=True)
