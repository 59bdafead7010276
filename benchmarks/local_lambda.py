"""Time of a call of a function in the local AWS, compared with a call that runs no function.

    make bench-local-lambda
    make bench-local-lambda ARGS="--calls 1000"

Calls go one after another through boto3 to a warm Python function that returns at once. The difference between the
first two rows is what a function costs; the third sends an event of 2 MB.
"""

import argparse
import io
import json
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import boto3

from benchmarks.processor import print_processor
from rehearsal.cloud.local import LocalAws

SOURCE = "def handler(event, context):\n    return {}\n"


def timed(name: str, call: Callable[[], object], calls: int) -> None:
    """Print the median and the 95th percentile of the times of so many calls, in ms."""
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    print(f"{name:<32} median {statistics.median(times):6.1f} ms   p95 {sorted(times)[int(calls * 0.95)]:6.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    calls = parser.parse_args().calls
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("function.py", SOURCE)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}

    print_processor()
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.toml"
        images.write_text("image = []\n")
        with LocalAws(Path(folder) / "aws", images=images) as aws:
            session = boto3.Session(aws.settings.root_key, aws.settings.root_secret, region_name=aws.settings.region)
            iam = session.client("iam", endpoint_url=aws.url)
            functions = session.client("lambda", endpoint_url=aws.url)
            role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
            functions.create_function(
                FunctionName="bench",
                Runtime="python3.13",
                Handler="function.handler",
                Role=role["Role"]["Arn"],
                Code={"ZipFile": archive.getvalue()},
            )
            large = json.dumps({"image": "x" * 2_000_000})
            functions.invoke(FunctionName="bench", Payload="{}")
            timed("GetFunctionConfiguration", lambda: functions.get_function_configuration(FunctionName="bench"), calls)
            timed("Invoke", lambda: functions.invoke(FunctionName="bench", Payload="{}"), calls)
            timed("Invoke, event of 2 MB", lambda: functions.invoke(FunctionName="bench", Payload=large), calls // 5)


if __name__ == "__main__":
    main()
