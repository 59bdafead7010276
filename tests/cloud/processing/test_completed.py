"""A processing job that completes: its inputs, its environment, its outputs, its log."""

import json
import time
from typing import Any

from tests.cloud.processing.account import BUCKET, Account, given
from tests.patience import wait_until

REPORT = """
(OUT / "nested").mkdir()
(OUT / "nested" / "report.json").write_text(json.dumps({
    "env": dict(os.environ), "argv": sys.argv[1:], "in": str(IN),
    "configuration": json.loads((CONFIG / "processingjobconfig.json").read_text()),
    "resources": json.loads((CONFIG / "resourceconfig.json").read_text()),
    "files": {str(path.relative_to(IN)): path.read_text() for path in sorted(IN.rglob("*")) if path.is_file()},
}))
"""


def report(account: Account, job: dict[str, Any]) -> dict[str, Any]:
    """What REPORT wrote."""
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    found: dict[str, Any] = json.loads(account.get(f"out/{job['ProcessingJobName']}/nested/report.json"))
    return found


def test_a_prefix_is_downloaded_and_what_the_container_writes_is_uploaded(account: Account) -> None:
    account.put("days/27/", b"")  # the console's marker of a folder
    account.put("days/27/00/a.jsonl", b"a")
    account.put("days/27/01/b.jsonl", b"b")
    account.put("days/28/00/c.jsonl", b"c")
    job = account.run(REPORT, ProcessingInputs=given(f"s3://{BUCKET}/days/27/"), Environment={"MODE": "fast"})
    found = report(account, job)

    assert found["files"] == {"00/a.jsonl": "a", "01/b.jsonl": "b"}
    assert found["argv"] == ["--in", found["in"]]
    assert (found["env"]["MODE"], found["env"]["SET_BY_IMAGE"]) == ("fast", "yes")
    assert found["env"]["ProcessingJobName"] == job["ProcessingJobName"]
    assert found["configuration"]["ProcessingJobArn"] == job["ProcessingJobArn"]
    assert found["configuration"]["ProcessingInputs"] == given(f"s3://{BUCKET}/days/27/")
    assert found["resources"] == {"current_host": "algo-1", "hosts": ["algo-1"]}
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert "FailureReason" not in job


def test_a_manifest_names_the_objects_that_are_downloaded(account: Account) -> None:
    account.put("listed/00/a.jsonl", b"a")
    account.put("listed/01/b.jsonl", b"b")
    manifest = account.manifest("manifest.json", "listed/", "01/b.jsonl")
    job = account.run(REPORT, ProcessingInputs=given(manifest, "ManifestFile"))

    assert report(account, job)["files"] == {"01/b.jsonl": "b"}


def test_the_container_has_its_roles_credentials_and_none_in_an_isolated_network(account: Account) -> None:
    network = {"EnableNetworkIsolation": True}
    open_job, isolated = (account.create(REPORT, **changes) for changes in ({}, {"NetworkConfig": network}))
    found = report(account, account.ended(open_job))["env"]

    assert found["AWS_SESSION_TOKEN"]
    assert found["AWS_ACCESS_KEY_ID"] != account.client("s3")._request_signer._credentials.access_key
    hidden = report(account, account.ended(isolated))["env"]
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"} & set(hidden)
    assert account.describe(isolated)["NetworkConfig"] == network


def test_the_containers_lines_are_in_the_log_and_its_embedded_metrics_in_cloudwatch(account: Account) -> None:
    directive = {"Namespace": "Processed", "Dimensions": [["Endpoint"]], "Metrics": [{"Name": "Drift"}]}
    at = int(time.time() * 1000)
    line = json.dumps({"_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}, "Endpoint": "dogs", "Drift": 0.25})
    job = account.run(f"print('started'); print('''{line}''')")

    assert account.log(job["ProcessingJobName"]) == ["started", line]
    found = account.client("cloudwatch").get_metric_statistics(
        Namespace="Processed",
        MetricName="Drift",
        Dimensions=[{"Name": "Endpoint", "Value": "dogs"}],
        StartTime=at / 1000 - 600,
        EndTime=at / 1000 + 600,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    assert [point["Maximum"] for point in found] == [0.25]  # exact: the number of the line


def test_each_change_of_its_status_is_an_event(account: Account) -> None:
    sqs, events = account.client("sqs"), account.client("events")
    queue = sqs.create_queue(QueueName="processing-changes")["QueueUrl"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Processing Job State Change"],
        "detail": {"ProcessingJobStatus": ["Failed"]},
    }
    arn = events.put_rule(Name="processing-changes", EventPattern=json.dumps(pattern))["RuleArn"]
    target = "arn:aws:sqs:us-east-1:000000000000:processing-changes"
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": target,
        "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule="processing-changes", Targets=[{"Id": "queue", "Arn": target}])
    name = account.create("sys.exit(1)")
    received: list[dict[str, Any]] = []

    def arrived() -> bool:
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        received.extend(json.loads(message["Body"]) for message in messages)
        return any(event["detail"]["ProcessingJobName"] == name for event in received)

    assert wait_until(arrived)
    (event,) = [event for event in received if event["detail"]["ProcessingJobName"] == name]
    job = account.ended(name)
    assert event["resources"] == [job["ProcessingJobArn"]]
    assert event["detail"]["FailureReason"] == job["FailureReason"]
    assert event["detail"]["CreationTime"] == int(job["CreationTime"].timestamp() * 1000)
