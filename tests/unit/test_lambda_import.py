"""The function's package contains only its folder, so it may import only boto3 and the standard library."""

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
after = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted(name for name in after - before - sys.stdlib_module_names if not name.startswith("__"))))
"""


def test_the_handler_imports_boto3_and_the_standard_library_only() -> None:
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
    imported = set(json.loads(ran.stdout))

    assert imported <= {"lambda_fn", *COMES_WITH_BOTO3}
    assert "lambda_fn" in imported
