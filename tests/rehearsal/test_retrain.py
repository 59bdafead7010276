"""`kennel retrain` on the local AWS, by the SageMaker Python SDK, which the verb of make installs.

Each command runs as a user who has the policies of docs/operating.md and nothing else.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ops.data.bucket import output_of
from ops.rehearse import account
from ops.rehearse.isolation import without_foreign
from ops.rehearse.stage import Stage
from ops.views.training_log import TrainingLines
from tests.patience import wait_until
from tests.rehearsal.deployments import KENNEL, REPOSITORY
from tests.rehearsal.empty_stage import empty_stage, ignore

pytestmark = pytest.mark.slow

POLICY = re.compile(r"```json\n(\{.*?\n\})\n```", re.DOTALL)
GROUP = "kennel-development"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A local AWS with the bucket and a few photos in it."""
    with empty_stage(tmp_path_factory.mktemp("retrain")) as made:
        made.deploy("deploy-storage", ["Storage"], ignore)
        bucket = output_of("storage", "BucketName", environment="development")
        for path in made.data.folder.rglob("*.jpg"):
            key = f"data/{path.relative_to(made.data.folder).as_posix()}"
            made.client("s3").put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        yield made


@pytest.fixture(scope="module")
def sdk() -> None:
    """The environment of the SDK, as a user installs it."""
    made = subprocess.run(["make", "sagemaker-sdk"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.fixture(scope="module")
def variables(stage: Stage) -> Mapping[str, str]:
    """Of a user with the documented policies."""
    text = "\n".join((REPOSITORY / "docs" / name).read_text() for name in ("operating.md", "retraining.md"))
    named = {"ACCOUNT": stage.aws.settings.account, "REGION": stage.aws.settings.region}
    named["BUCKET"] = output_of("storage", "BucketName", environment="development")
    iam = stage.client("iam")
    iam.create_user(UserName="trainer")
    for number, policy in enumerate(POLICY.findall(text)):
        for word, value in named.items():
            policy = policy.replace(word, value)
        iam.put_user_policy(UserName="trainer", PolicyName=f"policy-{number}", PolicyDocument=policy)
    key = iam.create_access_key(UserName="trainer")["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    return {**without_foreign(os.environ), **account.variables(stage.aws, stage.environment), **keys}


def run(variables: Mapping[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    command = [*KENNEL, "retrain", *words]
    return subprocess.run(command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)


def trained(variables: Mapping[str, str], *words: str) -> Any:
    """What a training that is registered prints as JSON."""
    ended = run(variables, "--yes", "--json", *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


def deploy(stage: Stage, name: str, *settings: str) -> str:
    """Deploy the Training stack. Returns the name of its job."""
    assembly = stage.folder(name)
    stage.synthesise(assembly, f"synth-{name}", *settings)
    stage.deploy(f"deploy-{name}", ["Training"], ignore, assembly=assembly, lines=TrainingLines(ignore))
    return output_of("training", "JobName", environment="development")


def jobs(stage: Stage) -> list[str]:
    found = stage.client("sagemaker").list_training_jobs(NameContains=GROUP)
    return [each["TrainingJobName"] for each in found["TrainingJobSummaries"]]


def test_from_nothing_to_a_deploy_that_uses_the_job(stage: Stage, sdk: None, variables: Mapping[str, str]) -> None:
    """One test: each state is made from the one before it, and a training takes half a minute."""
    _ = sdk
    assert run(variables).returncode == 4  # nothing is deployed
    own = deploy(stage, "own")
    _the_same_request(variables, own)
    first = _another_training(stage, variables, own)
    _a_deploy_with_its_settings_uses_it(stage, first)
    _ctrl_c_leaves_the_job(stage, variables)
    _a_failed_training_is_reported(stage, variables)


def _the_same_request(variables: Mapping[str, str], own: str) -> None:
    """What would be started is the deploy's job, so it is used."""
    found = json.loads(run(variables, "--dry-run", "--json").stdout)
    assert (found["job"], found["status"]) == (own, "Completed")
    result = trained(variables)
    assert (result["job"], result["version"], result["to_deploy_it"]["settings"]) == (own, 1, {})


def _another_training(stage: Stage, variables: Mapping[str, str], own: str) -> str:
    """The job is that of the deploy, to the letter, except for what was asked for."""
    planned = json.loads(run(variables, "--set", "seed=7", "--dry-run", "--json").stdout)
    assert planned["status"] is None
    assert jobs(stage) == [own]
    result = trained(variables, "--set", "seed=7")
    sagemaker = stage.client("sagemaker")
    made = sagemaker.describe_training_job(TrainingJobName=result["job"])
    before = sagemaker.describe_training_job(TrainingJobName=own)

    assert (result["job"], result["version"]) == (planned["job"], 2)
    assert set(result["metrics"]) == {each["MetricName"] for each in before["FinalMetricDataList"]}
    options = before["HyperParameters"] | {"seed": "7", "sagemaker_job_name": result["job"]}
    assert made["HyperParameters"] == options
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 6 * 3600}
    for key in ("AlgorithmSpecification", "InputDataConfig", "ResourceConfig", "RoleArn", "EnableNetworkIsolation"):
        assert made[key] == before[key], key
    tags = [sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] for job in (made, before)]
    assert tags[0] == tags[1]
    version = sagemaker.describe_model_package(ModelPackageName=_version(stage, 2))
    assert (version["ModelApprovalStatus"], version["SourceUri"]) == ("Approved", result["model_data"])
    return str(result["job"])


def _version(stage: Stage, number: int) -> str:
    listed = stage.client("sagemaker").list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    return next(str(each["ModelPackageArn"]) for each in listed if each["ModelPackageVersion"] == number)


def _a_deploy_with_its_settings_uses_it(stage: Stage, job: str) -> None:
    before = jobs(stage)
    assert deploy(stage, "with-its-settings", "training.seed=7") == job
    assert jobs(stage) == before


def _ctrl_c_leaves_the_job(stage: Stage, variables: Mapping[str, str]) -> None:
    """The same command follows it again."""
    options = ("--set", "seed=8", "--set", "epochs=2000")
    job = json.loads(run(variables, *options, "--dry-run", "--json").stdout)["job"]
    with subprocess.Popen(
        [*KENNEL, "retrain", *options, "--yes"],
        cwd=REPOSITORY,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout
        for line in following.stdout:
            if "Train: " in line:  # the SDK has started it
                break
        following.send_signal(signal.SIGINT)
        _, said = following.communicate()
    assert following.returncode == 130
    assert f"The job {job} goes on" in said
    assert "Traceback" not in said
    assert stage.client("sagemaker").describe_training_job(TrainingJobName=job)["TrainingJobStatus"] == "InProgress"

    stage.client("sagemaker").stop_training_job(TrainingJobName=job)
    described = stage.client("sagemaker").describe_training_job
    assert wait_until(lambda: described(TrainingJobName=job)["TrainingJobStatus"] == "Stopped")


def _a_failed_training_is_reported(stage: Stage, variables: Mapping[str, str]) -> None:
    bucket = output_of("storage", "BucketName", environment="development")
    for split in ("train", "valid", "test"):
        for breed in ("Beagle", "Boxer"):
            key = f"data/broken/{split}/{breed}/1.jpg"
            stage.client("s3").put_object(Bucket=bucket, Key=key, Body=b"\xff\xd8\xff\xe0 not a photo")
    ended = run(variables, "--data", f"s3://{bucket}/data/broken/", "--yes")
    assert ended.returncode == 3
    assert re.search(r"kennel: Training job kennel-development-\S+ is Failed: ", ended.stderr), ended.stderr
