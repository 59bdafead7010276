"""The function's package contains its folder and one table of inference, so it may import little else."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_S

REPOSITORY = Path(__file__).parents[2]
COMES_WITH_BOTO3 = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3", "certifi"}
PROGRAM = """
import json, sys
before = {name.partition(".")[0] for name in sys.modules}
import lambda_fn.handler
after = {name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
of_inference = sorted(name for name in sys.modules if name.startswith("inference"))
found = sorted(name for name in after - before - sys.stdlib_module_names if not name.startswith("__"))
print(json.dumps([found, of_inference]))
"""


def test_the_handler_imports_boto3_the_standard_library_and_the_table_of_file_types() -> None:
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
    imported, of_inference = json.loads(ran.stdout)

    assert set(imported) <= {"lambda_fn", "inference", *COMES_WITH_BOTO3}
    assert "lambda_fn" in imported
    assert of_inference == ["inference", "inference.photo", "inference.photo.file_types"]
