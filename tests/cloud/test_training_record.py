"""The statuses of a training job."""

from typing import Any

from rehearsal.cloud.sagemaker.training_record import TrainingRecord


def record_of(**request: Any) -> TrainingRecord:
    return TrainingRecord(
        {"TrainingJobName": "dogs", "OutputDataConfig": {"S3OutputPath": "s3://dogs"}, **request}, "arn"
    )


def test_a_description_repeats_the_request_without_its_tags() -> None:
    debug = {"EnableRemoteDebug": True}
    described = record_of(RemoteDebugConfig=debug, Tags=[{"Key": "team", "Value": "dogs"}]).describe()

    assert described["RemoteDebugConfig"] == debug
    assert "Tags" not in described


def test_a_job_that_is_stopped_enters_no_other_phase() -> None:
    record = record_of()
    record.enter("Downloading")
    record.stop()
    record.enter("Training")  # it was about to when the call came
    record.end("Stopped", "Stopped")

    described = record.describe()
    assert [each["Status"] for each in described["SecondaryStatusTransitions"]] == [
        "Starting", "Downloading", "Stopping", "Stopped",
    ]  # fmt: skip
