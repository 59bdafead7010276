"""`aws lambda invoke`, for the commands of README: AWS's own command line is not among the locked packages."""

import argparse
import json
import os
import sys
from pathlib import Path

import boto3


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="aws")
    parser.add_argument("service", choices=["lambda"])
    parser.add_argument("operation", choices=["invoke"])
    parser.add_argument("--function-name", required=True)
    parser.add_argument("--cli-binary-format", choices=["raw-in-base64-out"], required=True)
    parser.add_argument("--payload", type=lambda value: Path(value.removeprefix("file://")).read_bytes(), required=True)
    parser.add_argument("outfile", type=Path)
    options = parser.parse_args(words)
    answer = boto3.client("lambda", region_name=os.environ["AWS_REGION"]).invoke(
        FunctionName=options.function_name, Payload=options.payload
    )
    options.outfile.write_bytes(answer["Payload"].read())
    print(json.dumps({"StatusCode": answer["StatusCode"]}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
