"""An account of a local AWS with a bucket and the roles of training jobs."""

import io
import json
import tarfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.patience import wait_until

ACCOUNT = "000000000000"
BUCKET = "dogs"
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.9"
REPOSITORY_ARN = "arn:aws:ecr:us-east-1:763104351884:repository/pytorch-training"
LOGS = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/TrainingJobs"
ENDED = ("Completed", "Failed", "Stopped")

IMAGES = """
[[image]]
uri = "*/pytorch-training:*"
train = ["/bin/bash", "-c", "exec train"]

[[image]]
uri = "*/server:*"
serve = ["{python}", "--port", "{port}"]

[[image]]
uri = "*/program:*"
train = ["{python}", "-c", "import os; exec(open(os.environ['PROGRAM']).read())"]
"""
PROGRAM_IMAGE = "docker.io/any/program:1"
"""Runs the Python program whose path is in the variable PROGRAM."""
PRELUDE = """
import json, os, signal, sys, time
from pathlib import Path
BASE = Path(os.environ["SAGEMAKER_BASE_DIR"])
def config(name):
    return json.loads((BASE / "input" / "config" / name).read_text())
HOST = config("resourceconfig.json")["current_host"]
DATA = BASE / "input" / "data"
MODEL = BASE / "model"
CHECKPOINTS = BASE / "checkpoints"
OUTPUT = BASE / "output"
"""

RIGHTS: dict[str, dict[str, Any]] = {
    "list": {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
    "read": {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    "write": {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    "pull": {
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Resource": REPOSITORY_ARN,
    },
    "log in": {"Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    "log": {
        "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        "Resource": f"{LOGS}:*",
    },
    "measure": {
        "Action": "cloudwatch:PutMetricData",
        "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}},
    },
}
"""The rights that a training job needs, by what they are for."""


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement} for statement in statements]}
    )


@dataclass(frozen=True)
class Account:
    """variables: those of a LocalAws."""

    variables: Mapping[str, str]
    folder: Path
    roles: dict[str, str] = field(default_factory=dict)

    def client(self, service: str, **credentials: str) -> Any:
        own = {
            "aws_access_key_id": self.variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.variables["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
            **(credentials or own),
        )

    @property
    def engine(self) -> int:
        """The process id of the engine."""
        names = (self.folder / "tmp").glob("ministack-*.pid")
        return int(next(names).read_text())

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    def role(self, *without: str, more: Mapping[str, Mapping[str, Any]] = {}) -> str:
        """The ARN of a role that has RIGHTS, except for these, and more, by what they are for."""
        name = "job-" + "-".join([*sorted(without), *more]).replace(" ", "-")
        if name not in self.roles:
            trust = document({"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"})
            iam = self.client("iam")
            self.roles[name] = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
            rights = [right for what, right in RIGHTS.items() if what not in without]
            iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document(*rights, *more.values()))
        return self.roles[name]

    def caller(self, name: str, *rights: Mapping[str, Any]) -> Callable[[str], Any]:
        """Makes the clients of a new user with these rights."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=document(*rights))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return lambda service: self.client(service, **own)

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    def archive(self, uri: str) -> dict[str, bytes]:
        """The files of a tar.gz in S3."""
        with tarfile.open(fileobj=io.BytesIO(self.get(uri.removeprefix(f"s3://{BUCKET}/")))) as packed:
            members = [member for member in packed if member.isfile()]
            return {member.name: packed.extractfile(member).read() for member in members}  # type: ignore[union-attr]

    def request(self, program: str, *, hosts: int = 1, role: str = "", **changes: Any) -> dict[str, Any]:
        """CreateTrainingJob's arguments for a job whose container runs this Python program, after PRELUDE."""
        algorithm = {
            "TrainingImage": PROGRAM_IMAGE,
            "TrainingInputMode": "File",
            **changes.pop("AlgorithmSpecification", {}),
        }
        return {
            "TrainingJobName": f"job-{uuid.uuid4().hex[:12]}",
            "RoleArn": role or self.role(),
            "AlgorithmSpecification": algorithm,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/artifacts"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": hosts, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "Environment": {"PROGRAM": str(self.file(program)), **changes.pop("Environment", {})},
            **changes,
        }

    def file(self, program: str) -> Path:
        """A file with PRELUDE and this program: a variable of a job has at most 512 characters."""
        path = self.folder / "programs" / f"{uuid.uuid4().hex}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(PRELUDE + program)
        return path

    def source(self, program: str) -> str:
        """The URI of an archive with this program.py, for `train`."""
        key, source = f"source/{uuid.uuid4().hex}.tar.gz", io.BytesIO()
        with tarfile.open(fileobj=source, mode="w:gz") as packed:
            member = tarfile.TarInfo("program.py")
            member.size = len(program.encode())
            packed.addfile(member, io.BytesIO(program.encode()))
        self.put(key, source.getvalue())
        return f"s3://{BUCKET}/{key}"

    def create(self, program: str, **changes: Any) -> str:
        """Start a job. Returns its name."""
        request = self.request(program, **changes)
        self.sagemaker.create_training_job(**request)
        return str(request["TrainingJobName"])

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        return found

    def run(self, program: str, **changes: Any) -> dict[str, Any]:
        """Run a job to its end. Returns its description."""
        return self.ended(self.create(program, **changes))

    def ended(self, name: str) -> dict[str, Any]:
        assert wait_until(lambda: self.describe(name)["TrainingJobStatus"] in ENDED)
        return self.describe(name)

    def wait_for(self, happened: Callable[[], bool], name: str) -> bool:
        """Whether it happens before the job fails."""
        return wait_until(happened, running=lambda: self.describe(name)["TrainingJobStatus"] != "Failed")

    def metric(self, metric: str, job: str) -> list[float]:
        """The values of a job's metric in CloudWatch."""
        now = datetime.now(UTC)
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace="/aws/sagemaker/TrainingJobs",
            MetricName=metric,
            Dimensions=[{"Name": "TrainingJobName", "Value": job}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=60,
            Statistics=["Average", "SampleCount"],
        )["Datapoints"]
        return [point["Average"] for point in points for _ in range(int(point["SampleCount"]))]

    def log(self, name: str, host: str = "algo-1") -> str:
        """What a host printed, from CloudWatch."""
        logs = self.client("logs")
        streams = logs.describe_log_streams(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/{host}-"
        )["logStreams"]
        events = [
            event
            for stream in streams
            for event in logs.get_log_events(
                logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]
        return "\n".join(event["message"] for event in events)


def channel(name: str, prefix: str, **source: str) -> dict[str, Any]:
    found = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{prefix}", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": {**found, **source}}}
