"""A training job that fails, is stopped or takes too long: its status, its reason, and what is uploaded."""

from typing import Any

import pytest

from tests.cloud.training.account import BUCKET, Account, channel

STOPPED = """
def stop(*_):
    (MODEL / "weights").write_text("half")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while True:
    signal.pause()
"""
STUBBORN = """
signal.signal(signal.SIGTERM, lambda *_: print("SIGTERM", flush=True))
print("ready", flush=True)
while True:
    signal.pause()
"""


def ready(account: Account, name: str) -> bool:
    log = account.folder / "training" / name / "logs" / "algo-1.log"
    return account.wait_for(lambda: log.is_file() and "ready" in log.read_text(), name)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("(OUTPUT / 'failure').write_text('ValueError: no dogs'); sys.exit(3)", "ValueError: no dogs, exit code: 3"),
        ("sys.exit(4)", "See job logs for more information, exit code: 4"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "See job logs for more information, exit code: 137"),
    ],
)
def test_a_failed_job_has_the_reason_of_its_failure_file_and_the_exit_code(
    account: Account, program: str, reason: str
) -> None:
    job = account.run(program)

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"] == f"AlgorithmError: {reason}"


def test_a_reason_has_at_most_1024_characters_and_keeps_the_exit_code(account: Account) -> None:
    reason = account.run("(OUTPUT / 'failure').write_text('x' * 5000); sys.exit(1)")["FailureReason"]

    assert len(reason) == 1024
    assert reason.endswith("x, exit code: 1")


def test_the_host_that_failed_first_gives_the_reason_and_ends_the_others(account: Account) -> None:
    job = account.run(
        """
if HOST == "algo-1":
    signal.pause()
(OUTPUT / "failure").write_text("ValueError: no dogs")
sys.exit(1)
""",
        hosts=2,
    )

    assert job["FailureReason"] == "AlgorithmError: ValueError: no dogs, exit code: 1"


def test_a_failed_job_uploads_no_model(account: Account) -> None:
    name = account.run("(MODEL / 'weights').write_text('1'); sys.exit(1)")["TrainingJobName"]

    assert account.keys(f"artifacts/{name}") == []


@pytest.mark.parametrize(
    ("without", "reason"),
    [("read", "AccessDenied (403)"), ("list", "AccessDenied (403)"), ("write", "AccessDenied (403)")],
)
def test_s3_is_used_with_the_rights_of_the_jobs_role(account: Account, without: str, reason: str) -> None:
    account.put("numbers/one.txt", b"1")
    job = account.run("", role=account.role(without), InputDataConfig=[channel("numbers", "numbers/")])

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(f"ClientError: {reason}")
    assert BUCKET in job["FailureReason"]


def test_a_channel_without_objects_is_an_error(account: Account) -> None:
    job = account.run("", InputDataConfig=[channel("numbers", "nothing/")])

    assert job["FailureReason"].startswith("ClientError: No S3 objects found under S3 URL")


@pytest.mark.parametrize("without", ["log", "measure"])
def test_a_role_without_the_rights_loses_logs_or_metrics_and_the_job_completes(account: Account, without: str) -> None:
    metrics = [{"Name": "total", "Regex": "total=([0-9]+)"}]
    account.run("print('total=1')")  # creates the log group
    job = account.run(
        "print('total=3')", role=account.role(without), AlgorithmSpecification={"MetricDefinitions": metrics}
    )
    name = job["TrainingJobName"]

    assert job["TrainingJobStatus"] == "Completed"
    # exact: parsed from the text of a log
    assert [each["Value"] for each in job["FinalMetricDataList"]] == [3.0]
    assert account.log(name) == ("" if without == "log" else "total=3")
    # exact: parsed from the text of a log
    assert account.metric("total", name) == ([] if without == "measure" else [3.0])


def test_a_key_that_the_role_may_not_encrypt_with_is_an_error(account: Account) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    job = account.run("", OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/artifacts", "KmsKeyId": key})

    assert job["FailureReason"].startswith("ClientError: AccessDeniedException")
    assert "kms:Encrypt" in job["FailureReason"]


@pytest.mark.parametrize("of", ["subnet/subnet-a", "subnet/subnet-b"])
def test_a_job_in_a_vpc_needs_the_right_to_make_interfaces_in_each_of_its_subnets(account: Account, of: str) -> None:
    arn = "arn:aws:ec2:us-east-1:000000000000:"
    attached = [f"{arn}network-interface/*", f"{arn}security-group/sg-a", f"{arn}{of}"]
    use = ["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"]
    rights: dict[str, dict[str, Any]] = {
        "vpc-describe": {"Action": "ec2:Describe*", "Resource": "*"},
        "vpc-create": {"Action": "ec2:CreateNetworkInterface", "Resource": attached},
        f"vpc-{of[-1]}": {
            "Action": use,
            "Resource": f"{arn}network-interface/*",
            "Condition": {"ArnLike": {"ec2:Subnet": f"{arn}subnet/subnet-a"}},
        },
    }
    vpc = {"Subnets": ["subnet-a"], "SecurityGroupIds": ["sg-a"]}
    job = account.run("", role=account.role(more=rights), VpcConfig=vpc)

    assert job["TrainingJobStatus"] == ("Completed" if of.endswith("a") else "Failed")
    assert job["VpcConfig"] == vpc
    if of.endswith("b"):
        assert (
            "ec2:CreateNetworkInterface on resource: arn:aws:ec2:us-east-1:000000000000:subnet/subnet-a"
            in (job["FailureReason"])
        )


def test_a_stopped_job_gets_sigterm_and_its_model_is_uploaded(account: Account) -> None:
    name = account.create(STOPPED)
    assert ready(account, name)
    account.sagemaker.stop_training_job(TrainingJobName=name)
    status = account.describe(name)["TrainingJobStatus"]
    job = account.ended(name)

    assert status in ("Stopping", "Stopped")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [each["Status"] for each in job["SecondaryStatusTransitions"]][-2:] == ["Stopping", "Stopped"]
    assert account.archive(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"weights": b"half"}


def test_a_job_that_ignores_sigterm_is_killed_after_120_seconds_of_the_clock(account: Account) -> None:
    name = account.create(STUBBORN)
    assert ready(account, name)
    account.sagemaker.stop_training_job(TrainingJobName=name)
    job = account.ended(name)

    assert job["TrainingJobStatus"] == "Stopped"
    assert "SIGTERM" in account.log(name)
    stopping = next(each for each in job["SecondaryStatusTransitions"] if each["Status"] == "Stopping")
    assert (stopping["EndTime"] - stopping["StartTime"]).total_seconds() >= 120 / 60  # the clock's speed is 60


def test_a_job_that_takes_too_long_is_stopped_and_its_model_is_uploaded(account: Account) -> None:
    # a shell, because it has its handler at once
    save = "trap 'echo half > $SAGEMAKER_BASE_DIR/model/weights; exit' TERM; while :; do sleep 0.1; done"
    started = {"ContainerEntrypoint": ["/bin/sh", "-c"], "ContainerArguments": [save]}
    job = account.run("", AlgorithmSpecification=started, StoppingCondition={"MaxRuntimeInSeconds": 2})

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert account.archive(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"weights": b"half\n"}


def test_an_ended_job_cannot_be_stopped(account: Account) -> None:
    name = account.run("")["TrainingJobName"]

    with pytest.raises(account.sagemaker.exceptions.ClientError, match="in status Completed") as caught:
        account.sagemaker.stop_training_job(TrainingJobName=name)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
