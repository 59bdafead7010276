"""`kennel drift` on the local AWS: an endpoint that captures its calls, ordinary photos, then dark ones.

The command runs as a user who has the policy of docs/drift.md and nothing else.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ops.data.bucket import output_of
from ops.rehearse import account
from ops.rehearse.isolation import without_foreign
from ops.rehearse.stage import Stage
from ops.smoke.artifact import packed
from ops.views.training_log import TrainingLines
from tests.drift.calls import artifact, photo
from tests.patience import wait_until
from tests.rehearsal.deployments import KENNEL, REPOSITORY
from tests.rehearsal.empty_stage import empty_stage, ignore

pytestmark = pytest.mark.slow

ENDPOINT = "pytorch-dog-classifier-multi-instance"
POLICY = re.compile(r"```json\n(\{.*?\n\})\n```", re.DOTALL)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A local AWS with the bucket, and with an endpoint that captures nothing."""
    with empty_stage(tmp_path_factory.mktemp("drift")) as made:
        made.deploy("deploy-storage", ["Storage"], ignore)
        yield made


def deploy(stage: Stage, name: str, *settings: str) -> None:
    """Deploy the endpoint with these settings."""
    assembly = stage.folder(name)
    stage.synthesise(assembly, f"synth-{name}", *settings)
    stage.deploy(f"deploy-{name}", ["Training", "Serving"], ignore, assembly=assembly, lines=TrainingLines(ignore))


def operator(stage: Stage, bucket: str) -> Mapping[str, str]:
    """The variables of a user with the documented policy."""
    (policy,) = POLICY.findall((REPOSITORY / "docs" / "drift.md").read_text())
    for name, value in (
        ("ACCOUNT", stage.aws.settings.account), ("REGION", stage.aws.settings.region), ("BUCKET", bucket)
    ):  # fmt: skip
        policy = policy.replace(name, value)
    iam = stage.client("iam")
    iam.create_user(UserName="watcher")
    iam.put_user_policy(UserName="watcher", PolicyName="drift", PolicyDocument=policy)
    key = iam.create_access_key(UserName="watcher")["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    return {**without_foreign(os.environ), **account.variables(stage.aws, stage.environment), **keys}


def drift(variables: Mapping[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """The command, to its end."""
    command = [*KENNEL, "drift", *words]
    return subprocess.run(command, cwd=REPOSITORY, env=dict(variables), capture_output=True, text=True, check=False)


def figures(variables: Mapping[str, str], *, code: int) -> Any:
    """What it prints as JSON."""
    ended = drift(variables, "--json", "--since", "1h")
    assert ended.returncode == code, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


def send(stage: Stage, bucket: str, photos: list[bytes]) -> None:
    """Ask the endpoint about each photo, and wait until all calls are in the bucket."""
    before = _records(stage, bucket)
    for each in photos:
        stage.client("sagemaker-runtime").invoke_endpoint(EndpointName=ENDPOINT, ContentType="image/jpeg", Body=each)
    assert wait_until(lambda: _records(stage, bucket) >= before + len(photos)), "the calls were not captured"


def _records(stage: Stage, bucket: str) -> int:
    s3 = stage.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"capture/{ENDPOINT}/").get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed]
    return sum(body.count(b"\n") for body in bodies)


def test_from_no_capture_to_drift(stage: Stage, tmp_path: Path) -> None:
    """One test: each state is made from the one before it, and a deployment takes most of a minute."""
    bucket = output_of("storage", "BucketName", environment="development")
    variables = operator(stage, bucket)
    ended = drift(variables)
    assert (ended.returncode, ended.stdout) == (4, "")
    assert "has no endpoint" in ended.stderr

    artifact(tmp_path / "model", [photo(seed) for seed in range(1000, 1120)])
    key = "training/artifacts/drift/output/model.tar.gz"
    stage.client("s3").put_object(Bucket=bucket, Key=key, Body=packed(tmp_path / "model"))
    model = f"training.model_data=s3://{bucket}/{key}"
    deploy(stage, "off", model)
    ended = drift(variables)
    assert ended.returncode == 1
    assert "captures no call" in ended.stderr

    deploy(stage, "on", model, "serving.capture.percent=100")
    assert figures(variables, code=5)["photos"] <= 1  # a canary's, if it has come

    send(stage, bucket, [photo(seed) for seed in range(60)])
    ordinary = figures(variables, code=0)
    assert ordinary["verdict"] == "no drift"
    assert 60 <= ordinary["photos"] <= 61
    assert ordinary["test_photos"] == 120

    send(stage, bucket, [photo(seed, light=0.3) for seed in range(100, 220)])
    page = tmp_path / "drift.html"
    found = figures(variables, code=3)
    assert found["figures"]["brightness"]["excess"] > 0
    ended = drift(variables, "--since", "1h", "--html", str(page))
    assert ended.returncode == 3
    assert "Drift: the photos differ from the test photos in" in ended.stdout
    assert page.read_text().startswith("<!doctype html>")
