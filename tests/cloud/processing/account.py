"""An account of a local AWS with a bucket and the roles of processing jobs."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud.training.account import document
from tests.patience import wait_until

BUCKET = "processed"
IMAGE = "docker.io/any/program:1"
ENDED = ("Completed", "Failed", "Stopped")
LOGS = "/aws/sagemaker/ProcessingJobs"
PRELUDE = """
import json, os, signal, sys, time
from pathlib import Path
BASE = Path(os.environ["BASE"])
IN, OUT, CONFIG = BASE / "processing" / "in", BASE / "processing" / "out", BASE / "config"
"""

RIGHTS: dict[str, dict[str, Any]] = {
    "list": {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
    "read": {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    "write": {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    "log": {
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        "Resource": f"arn:aws:logs:us-east-1:000000000000:log-group:{LOGS}:*",
    },
}
"""The rights that a processing job needs, by what they are for."""


@dataclass(frozen=True)
class Account:
    """client: makes clients, of root or with keys. folder: for the programs."""

    client: Callable[..., Any]
    folder: Path
    roles: dict[str, str] = field(default_factory=dict)

    def role(self, *without: str, trusted: str = "sagemaker.amazonaws.com") -> str:
        """The ARN of a role that has RIGHTS, except for these."""
        name = "-".join(["processing", *sorted(without), trusted.partition(".")[0]])
        if name not in self.roles:
            iam = self.client("iam")
            trust = document({"Principal": {"Service": trusted}, "Action": "sts:AssumeRole"})
            self.roles[name] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
            rights = [right for what, right in RIGHTS.items() if what not in without]
            iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document(*rights))
        return self.roles[name]

    def caller(self, name: str, *rights: Mapping[str, Any]) -> Any:
        """A SageMaker client of a new user with these rights."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=document(*rights))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.client(
            "sagemaker", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
        )

    def put(self, key: str, body: bytes) -> str:
        """Its URI."""
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def get(self, key: str) -> bytes:
        body: bytes = self.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        found = self.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", [])]

    def request(self, program: str, *, role: str = "", **changes: Any) -> dict[str, Any]:
        """CreateProcessingJob's arguments for a job that runs this Python program, after PRELUDE."""
        name = changes.pop("ProcessingJobName", f"job-{uuid.uuid4().hex[:12]}")
        file = self.folder / f"{uuid.uuid4().hex}.py"  # a word of an entry point has at most 256 characters
        file.write_text(PRELUDE + program)
        output = {"S3Uri": f"s3://{BUCKET}/out/{name}", "LocalPath": "/opt/ml/processing/out"}
        return {
            "ProcessingJobName": name,
            "RoleArn": role or self.role(),
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python", str(file)],
                "ContainerArguments": ["--in", "/opt/ml/processing/in"],
            },
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "out", "S3Output": {**output, "S3UploadMode": "EndOfJob"}}]
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "Environment": {"BASE": "/opt/ml", **changes.pop("Environment", {})},
            **changes,
        }

    def create(self, program: str, **changes: Any) -> str:
        """Start a job. Returns its name."""
        request = self.request(program, **changes)
        self.client("sagemaker").create_processing_job(**request)
        return str(request["ProcessingJobName"])

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("sagemaker").describe_processing_job(ProcessingJobName=name)
        return found

    def ended(self, name: str) -> dict[str, Any]:
        assert wait_until(lambda: self.describe(name)["ProcessingJobStatus"] in ENDED)
        return self.describe(name)

    def run(self, program: str, **changes: Any) -> dict[str, Any]:
        """Run a job to its end. Returns its description."""
        return self.ended(self.create(program, **changes))

    def log(self, name: str) -> list[str]:
        """What the job printed, from CloudWatch. The first job that may makes the log group."""
        logs = self.client("logs")
        if not logs.describe_log_groups(logGroupNamePrefix=LOGS)["logGroups"]:
            return []
        streams = logs.describe_log_streams(logGroupName=LOGS, logStreamNamePrefix=f"{name}/algo-1-")["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=LOGS, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    def manifest(self, key: str, prefix: str, *names: str) -> str:
        """Its URI."""
        return self.put(key, json.dumps([{"prefix": f"s3://{BUCKET}/{prefix}"}, *names]).encode())


def given(uri: str, kind: str = "S3Prefix") -> list[dict[str, Any]]:
    """ProcessingInputs with one input."""
    source = {"S3Uri": uri, "LocalPath": "/opt/ml/processing/in", "S3DataType": kind, "S3InputMode": "File"}
    return [{"InputName": "in", "S3Input": source}]
