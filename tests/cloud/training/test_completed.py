"""A training job that completes: its input, its environment, its output."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.cloud.training.account import BUCKET, IMAGE, Account, channel

SUM = """
total = sum(int(path.read_text()) for path in (DATA / "numbers").rglob("*.txt"))
print(f"total={total}")
if HOST == "algo-1":
    (MODEL / "total").write_text(str(total))
(OUTPUT / "data" / HOST).write_text("report")
"""
REPORT = """
(MODEL / HOST).write_text(json.dumps({
    "env": dict(os.environ), "argv": sys.argv,
    "config": {name: config(name + ".json") for name in ("resourceconfig", "inputdataconfig", "hyperparameters")},
    "data": sorted(str(path.relative_to(DATA)) for folder in DATA.iterdir() for path in folder.rglob("*.txt")),
}))
"""


def numbers(account: Account) -> list[dict[str, Any]]:
    account.put("numbers/", b"")  # the console's marker of a folder
    account.put("numbers/one.txt", b"1")
    account.put("numbers/more/two.txt", b"2")
    return [channel("numbers", "numbers/")]


def reports(account: Account, job: dict[str, Any]) -> dict[str, Any]:
    """What REPORT wrote, by host."""
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    files = account.archive(job["ModelArtifacts"]["S3ModelArtifacts"])
    return {host: json.loads(text) for host, text in files.items()}


def test_a_job_reads_its_channel_and_uploads_what_its_hosts_wrote(account: Account) -> None:
    metrics = [{"Name": "test:total", "Regex": "total=([0-9]+)"}]
    job = account.run(
        SUM, hosts=2, InputDataConfig=numbers(account), AlgorithmSpecification={"MetricDefinitions": metrics}
    )
    name, artifacts = job["TrainingJobName"], job["ModelArtifacts"]["S3ModelArtifacts"]

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert artifacts == f"s3://{BUCKET}/artifacts/{name}/output/model.tar.gz"
    assert account.archive(artifacts) == {"total": b"3"}
    assert account.archive(artifacts.replace("model.tar", "output.tar")) == {"algo-1": b"report", "algo-2": b"report"}
    assert [account.log(name, host) for host in ("algo-1", "algo-2")] == ["total=3", "total=3"]
    # exact: parsed from the text of a log
    assert [(each["MetricName"], each["Value"]) for each in job["FinalMetricDataList"]] == [("test:total", 3.0)]
    # exact: parsed from the text of a log
    assert account.metric("test:total", name) == [3.0, 3.0]


def test_a_job_goes_through_sagemakers_phases(account: Account) -> None:
    job = account.run("", InputDataConfig=numbers(account))
    transitions = job["SecondaryStatusTransitions"]

    assert [each["Status"] for each in transitions] == [
        "Starting", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    ends = [each["EndTime"] for each in transitions]
    assert ends == sorted(ends)
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] >= 1


def test_hosts_get_what_sagemaker_writes_for_them(account: Account) -> None:
    job = account.run(
        REPORT, hosts=2, InputDataConfig=numbers(account), HyperParameters={"epochs": "3"}, Environment={"MODE": "fast"}
    )
    found = reports(account, job)

    assert sorted(found) == ["algo-1", "algo-2"]
    for host, report in found.items():
        resources = report["config"]["resourceconfig"]
        assert (resources["current_host"], resources["hosts"]) == (host, ["algo-1", "algo-2"])
        assert resources["current_instance_type"] == "ml.m5.large"
        assert report["config"]["hyperparameters"] == {"epochs": "3"}
        assert report["config"]["inputdataconfig"]["numbers"]["S3DistributionType"] == "FullyReplicated"
        assert report["data"] == ["numbers/more/two.txt", "numbers/one.txt"]
        assert (report["env"]["MODE"], report["env"]["TRAINING_JOB_NAME"]) == ("fast", job["TrainingJobName"])
        assert report["env"]["TRAINING_JOB_ARN"] == job["TrainingJobArn"]


def test_hosts_have_their_roles_credentials_and_never_the_accounts_key(account: Account) -> None:
    job = account.run(REPORT)
    env = reports(account, job)["algo-1"]["env"]
    role = account.client(
        "sts",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=env["AWS_SESSION_TOKEN"],
    )

    assert role.get_caller_identity()["Arn"].endswith("assumed-role/job-/SageMaker")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert account.variables[name] not in str(env)


def test_an_isolated_job_has_no_credentials(account: Account) -> None:
    env = reports(account, account.run(REPORT, EnableNetworkIsolation=True))["algo-1"]["env"]

    assert "AWS_ENDPOINT_URL" not in env
    assert "AWS_ACCESS_KEY_ID" not in env


def test_each_host_gets_its_share_of_a_sharded_channel(account: Account) -> None:
    numbers(account)
    sharded = [channel("numbers", "numbers", S3DataDistributionType="ShardedByS3Key")]
    found = reports(account, account.run(REPORT, hosts=2, InputDataConfig=sharded))

    assert [found[host]["data"] for host in ("algo-1", "algo-2")] == [["numbers/more/two.txt"], ["numbers/one.txt"]]


def test_the_entry_point_and_arguments_of_the_request_replace_the_images(account: Account) -> None:
    started = {"ContainerEntrypoint": [sys.executable, "-c"], "ContainerArguments": ["print('from the request')"]}
    job = account.run("print('from the image')", AlgorithmSpecification=started)

    assert account.log(job["TrainingJobName"]) == "from the request"


def test_the_artifact_can_be_uploaded_uncompressed(account: Account) -> None:
    output = {"S3OutputPath": f"s3://{BUCKET}/plain", "CompressionType": "NONE"}
    job = account.run("(MODEL / 'weights').write_text('1')", OutputDataConfig=output)

    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/plain/{job['TrainingJobName']}/output/model/"
    assert account.get(f"plain/{job['TrainingJobName']}/output/model/weights") == b"1"


def test_the_artifact_is_encrypted_with_the_requests_key(account: Account) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    output = {"S3OutputPath": f"s3://{BUCKET}/artifacts", "KmsKeyId": key}
    through_s3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    rights = {
        "encrypt": {"Action": "kms:Encrypt", "Resource": key},
        "through-s3": {"Action": "kms:GenerateDataKey", "Resource": key, "Condition": through_s3},
    }
    job = account.run("", OutputDataConfig=output, role=account.role(more=rights))

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    model = account.s3.head_object(Bucket=BUCKET, Key=f"artifacts/{job['TrainingJobName']}/output/model.tar.gz")
    assert (model["ServerSideEncryption"], model["SSEKMSKeyId"]) == ("aws:kms", key)


def test_checkpoints_are_restored_at_the_start_and_uploaded_during_the_job(account: Account) -> None:
    account.put("checkpoints/run/epoch-1/weights", b"1")
    config = {"S3Uri": f"s3://{BUCKET}/checkpoints/run", "LocalPath": "/opt/ml/checkpoints"}
    name = account.create(
        """
restored = (CHECKPOINTS / "epoch-1" / "weights").read_text()
(CHECKPOINTS / "epoch-2").write_text(restored + "2")
while not (DATA.parent / "go").exists():
    time.sleep(0.01)
(CHECKPOINTS / "epoch-3").write_text("3")
""",
        CheckpointConfig=config,
    )

    assert account.wait_for(lambda: "checkpoints/run/epoch-2" in account.keys("checkpoints/run"), name)
    (account.folder / "training" / name / "algo-1" / "input" / "go").touch()
    assert account.ended(name)["TrainingJobStatus"] == "Completed"
    assert {key: account.get(key) for key in account.keys("checkpoints/run")} == {
        "checkpoints/run/epoch-1/weights": b"1",
        "checkpoints/run/epoch-2": b"12",
        "checkpoints/run/epoch-3": b"3",
    }


def test_two_jobs_run_at_once(account: Account) -> None:
    meet = """
(Path(os.environ["MEETING"]) / config("hyperparameters.json")["own"]).touch()
while not (Path(os.environ["MEETING"]) / config("hyperparameters.json")["other"]).exists():
    time.sleep(0.01)
"""
    environment = {"MEETING": str(account.folder / "tmp")}
    names = [
        account.create(meet, Environment=environment, HyperParameters={"own": own, "other": other})
        for own, other in (("a", "b"), ("b", "a"))
    ]

    assert [account.ended(name)["TrainingJobStatus"] for name in names] == ["Completed", "Completed"]


def test_an_ended_job_leaves_only_its_logs_on_this_machine(account: Account) -> None:
    job = account.run(SUM, InputDataConfig=numbers(account))
    folder = account.folder / "training" / job["TrainingJobName"]

    assert account.wait_for(lambda: [path.name for path in folder.iterdir()] == ["logs"], job["TrainingJobName"])


def test_without_the_toolkit_train_runs_the_source_that_s3_has(account: Account, tmp_path: Path) -> None:
    program = """
import json, os, sys
print(json.dumps({"argv": sys.argv[1:], "env": {k: v for k, v in os.environ.items()}, "folder": os.getcwd()}))
"""
    job = account.run(
        "",
        hosts=2,
        AlgorithmSpecification={"TrainingImage": IMAGE},
        InputDataConfig=numbers(account),
        HyperParameters={
            "sagemaker_program": "program.py",
            "sagemaker_submit_directory": account.source(program),
            "sagemaker_torch_distributed_enabled": "true",
            "learning-rate": "0.1",
            "epochs": "3",
        },
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    for rank, host in enumerate(("algo-1", "algo-2")):
        report = json.loads(account.log(job["TrainingJobName"], host).splitlines()[-1])
        env = report["env"]
        assert report["argv"] == ["--epochs", "3", "--learning-rate", "0.1"]
        assert (env["RANK"], env["WORLD_SIZE"], env["SM_CURRENT_HOST"]) == (str(rank), "2", host)
        assert env["SM_HP_LEARNING_RATE"] == "0.1"
        assert Path(env["SM_CHANNEL_NUMBERS"]).name == "numbers"
        assert Path(report["folder"]).name == "code"
        assert env["PYTHONPATH"] == report["folder"]


def test_each_change_of_its_status_is_an_event(account: Account) -> None:
    queue = account.client("sqs").create_queue(QueueName="changes")["QueueUrl"]
    rule = "changes"
    events = account.client("events")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {"TrainingJobStatus": ["Failed"]},
    }
    arn = events.put_rule(Name=rule, EventPattern=json.dumps(pattern))["RuleArn"]
    target = "arn:aws:sqs:us-east-1:000000000000:changes"
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": target,
        "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    account.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": target}])
    job = account.run("sys.exit(1)")

    message = account.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"][0]
    event = json.loads(message["Body"])
    assert event["resources"] == [job["TrainingJobArn"]]
    assert event["detail"]["FailureReason"] == job["FailureReason"]
    assert event["detail"]["CreationTime"] == int(job["CreationTime"].timestamp() * 1000)
