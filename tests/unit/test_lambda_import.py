"""What the function imports: its package has its folder and one table of inference, and each import takes time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S

REPOSITORY = Path(__file__).parents[2]
COMES_WITH_BOTOCORE = {"botocore", "jmespath", "dateutil", "six", "urllib3", "certifi"}
PROGRAM = """
import gc, json, sys, traceback
before = {name.partition(".")[0] for name in sys.modules}
searched_during = []

def note(phase, info):
    searched_during.extend(frame.name for frame in traceback.extract_stack())

gc.callbacks.append(note)
import lambda_fn.handler
after = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
print(json.dumps({
    "packages": sorted(name for name in after - before - sys.stdlib_module_names if not name.startswith("__")),
    "inference": sorted(name for name in sys.modules if name.startswith("inference")),
    "modules": sorted(sys.modules),
    "searched_during": sorted(set(searched_during)),
    "frozen": gc.get_freeze_count(),
    "enabled": gc.isenabled(),
}))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, Any]:
    """What a new process reports that imports the handler and creates both clients."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "ENDPOINT_NAME": "dogs",
        "READABLE_S3_PREFIXES": "s3://photos/",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_the_handler_imports_botocore_the_standard_library_and_the_table_of_file_types(
    imported: dict[str, Any],
) -> None:
    assert set(imported["packages"]) <= {"lambda_fn", "inference", *COMES_WITH_BOTOCORE}
    assert "lambda_fn" in imported["packages"]
    assert imported["inference"] == ["inference", "inference.photo", "inference.photo.file_types"]


def test_the_handler_imports_nothing_of_boto3s_transfers(imported: dict[str, Any]) -> None:
    """They take a quarter of the time in which a function starts, and need Python's multiprocessing."""
    assert {"boto3", "s3transfer", "multiprocessing"}.isdisjoint(imported["modules"])


def test_the_clients_are_not_searched_for_garbage(imported: dict[str, Any]) -> None:
    """Neither while they are created nor during a request: a search takes up to 0.05 s of it."""
    assert "_find_and_load" in imported["searched_during"]  # of Python's import, so searches are noticed
    assert "create_client" not in imported["searched_during"]
    assert imported["frozen"] > 20_000
    assert imported["enabled"]
