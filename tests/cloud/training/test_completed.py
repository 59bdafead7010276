"""A training job that completes: its input, its environment, its output."""

from tests.cloud.training.account import BUCKET, Account, channel

SUM = """
import argparse, json, os
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--offset", type=int)
offset = parser.parse_args().offset
data = Path(os.environ["SM_CHANNEL_NUMBERS"])
total = offset + sum(int(path.read_text()) for path in data.rglob("*.txt"))
print(f"total={total}")
if os.environ["SM_CURRENT_HOST"] == "algo-1":
    Path(os.environ["SM_MODEL_DIR"], "total").write_text(str(total))
Path(os.environ["SM_OUTPUT_DATA_DIR"], os.environ["SM_CURRENT_HOST"]).write_text("report")
"""


def test_a_job_reads_its_channel_and_uploads_what_its_hosts_wrote(account: Account) -> None:
    account.put("numbers/one.txt", b"1")
    account.put("numbers/more/two.txt", b"2")
    job = account.run(
        SUM,
        hosts=2,
        HyperParameters={"offset": "40"},
        InputDataConfig=[channel("numbers", "numbers/")],
        MetricDefinitions=[{"Name": "test:total", "Regex": "total=([0-9]+)"}],
    )

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == (
        f"s3://{BUCKET}/artifacts/{job['TrainingJobName']}/output/model.tar.gz"
    )
    assert account.archive(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"total": b"43"}
    output = job["ModelArtifacts"]["S3ModelArtifacts"].replace("model.tar", "output.tar")
    assert account.archive(output) == {"algo-1": b"report", "algo-2": b"report"}
    assert "total=43" in account.log(job["TrainingJobName"], "algo-1")
    assert "total=43" in account.log(job["TrainingJobName"], "algo-2")
    assert [(each["MetricName"], each["Value"]) for each in job["FinalMetricDataList"]] == [("test:total", 43.0)]
