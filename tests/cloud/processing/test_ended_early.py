"""A processing job that fails, is stopped or takes too long."""

import pytest

from tests.cloud.processing.account import BUCKET, Account, given
from tests.patience import wait_until

UNTIL_SIGTERM = """
def end(*_):
    (OUT / "left").write_text("yes")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""


def test_a_failed_container_has_its_exit_code_its_message_and_its_output(account: Account) -> None:
    job = account.run("(OUT / 'part').write_text('1'); (BASE / 'output' / 'message').write_text('why'); sys.exit(3)")

    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Failed", "why")
    assert job["FailureReason"] == "AlgorithmError: See job logs for more information, exit code: 3"
    assert account.keys(f"out/{job['ProcessingJobName']}") == [f"out/{job['ProcessingJobName']}/part"]


def test_a_message_is_cut_after_one_kilobyte_and_one_that_is_no_utf_8_fails_the_job(account: Account) -> None:
    long, wrong = (
        account.create(f"(BASE / 'output' / 'message').write_bytes({message})")
        for message in ("b'x' * 2000", "b'\\xff'")
    )

    assert account.ended(long)["ExitMessage"] == "x" * 1024
    job = account.ended(wrong)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")


def test_s3_is_used_with_the_rights_of_the_jobs_role(account: Account) -> None:
    account.put("own/a.jsonl", b"a")
    inputs = given(f"s3://{BUCKET}/own/")
    names = {
        without: account.create("(OUT / 'a').write_text('a')", role=account.role(without), ProcessingInputs=inputs)
        for without in ("list", "read", "write")
    }

    for name in names.values():
        job = account.ended(name)
        assert job["ProcessingJobStatus"] == "Failed"
        assert job["FailureReason"].startswith("ClientError: AccessDenied (403)")


def test_a_manifest_is_read_without_the_right_to_list(account: Account) -> None:
    account.put("own/a.jsonl", b"a")
    manifest = account.manifest("own.json", "own/", "a.jsonl")
    job = account.run("", role=account.role("list"), ProcessingInputs=given(manifest, "ManifestFile"))

    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")


def test_a_role_without_the_rights_loses_its_log_and_the_job_completes(account: Account) -> None:
    job = account.run("print('lost')", role=account.role("log"))

    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert account.log(job["ProcessingJobName"]) == []


@pytest.mark.parametrize("prefix", ["none/", "marker/"])
def test_a_prefix_without_objects_is_an_error(account: Account, prefix: str) -> None:
    account.put("marker/", b"")
    job = account.run("", ProcessingInputs=given(f"s3://{BUCKET}/{prefix}"))

    assert f"ClientError: No S3 objects found under S3 URL 's3://{BUCKET}/{prefix}'" in job["FailureReason"]


@pytest.mark.parametrize("content", [b"[", b'["a"]', b'[{"prefix": "own/"}, "a"]', b'[{"prefix": "s3://a/"}, 2]'])
def test_a_manifest_in_another_form_is_an_error(account: Account, content: bytes) -> None:
    job = account.run("", ProcessingInputs=given(account.put("wrong.json", content), "ManifestFile"))

    assert job["FailureReason"].startswith("ClientError: The manifest s3://processed/wrong.json does not have the form")


def test_a_stopped_job_gets_sigterm_and_its_output_is_uploaded(account: Account) -> None:
    name = account.create(UNTIL_SIGTERM)
    assert wait_until(lambda: account.log(name) == ["ready"])
    sagemaker = account.client("sagemaker")
    sagemaker.stop_processing_job(ProcessingJobName=name)
    job = account.ended(name)

    assert job["ProcessingJobStatus"] == "Stopped"
    assert account.keys(f"out/{name}") == [f"out/{name}/left"]
    sagemaker.stop_processing_job(ProcessingJobName=name)  # as on AWS, it has no effect on a job that has ended
    assert account.describe(name)["ProcessingJobStatus"] == "Stopped"


def test_a_job_that_takes_too_long_is_stopped(account: Account) -> None:
    job = account.run("signal.pause()", StoppingCondition={"MaxRuntimeInSeconds": 1})

    assert job["ProcessingJobStatus"] == "Stopped"
    assert "FailureReason" not in job
