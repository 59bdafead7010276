"""The statuses of a training job."""

from rehearsal.cloud.sagemaker.training_record import TrainingRecord


def test_a_job_that_is_stopped_enters_no_other_phase() -> None:
    record = TrainingRecord({"TrainingJobName": "dogs", "OutputDataConfig": {"S3OutputPath": "s3://dogs"}}, "arn")
    record.enter("Downloading")
    record.stop()
    record.enter("Training")  # it was about to when the call came
    record.end("Stopped", "Stopped")

    described = record.describe()
    assert [each["Status"] for each in described["SecondaryStatusTransitions"]] == [
        "Starting", "Downloading", "Stopping", "Stopped",
    ]  # fmt: skip
