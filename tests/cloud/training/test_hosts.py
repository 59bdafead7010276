"""The hosts of a training job: in namespaces where they can run, and never longer than the local AWS."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from tests.cloud.processes import processes_of
from tests.cloud.training.account import BUCKET, IMAGE, Account, channel
from tests.cloud.training.conftest import local_aws
from tests.patience import wait_until
from tests.rehearsal.still_running import gone_in_time

SOURCE = """
import json, os, socket, sys
from pathlib import Path
Path("/opt/ml/model", socket.gethostname() + os.environ["SM_CURRENT_HOST"]).write_text(json.dumps({
    "folder": os.getcwd(), "data": Path("/opt/ml/input/data/numbers/one.txt").read_text(),
    "interface": os.environ["SM_NETWORK_INTERFACE_NAME"],
}))
"""


@pytest.fixture
def namespaced(tmp_path: Path) -> Iterator[Account]:
    """An account whose training hosts are in namespaces."""
    try:
        with Namespaces(tmp_path / "network"):
            pass
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
    with local_aws(tmp_path, "namespaces") as aws:
        account = Account(aws.variables, aws.folder)
        account.s3.create_bucket(Bucket=BUCKET)
        yield account


def processes_of_job(name: str) -> set[int]:
    """Every process that has the job's name in its environment."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"TRAINING_JOB_NAME={name}".encode() in (entry / "environ").read_bytes():
                found.add(int(entry.name))
        except OSError:  # it has ended, or it is another user's
            continue
    return found


@pytest.mark.slow
def test_hosts_in_namespaces_have_the_true_opt_ml_and_s3_and_can_be_stopped_and_none_outlives_the_engine(
    namespaced: Account,
) -> None:
    """Several rules in one test, since each local AWS takes seconds to start."""
    read_s3_and_opt_ml(namespaced)
    stop(namespaced)
    kill_the_engine(namespaced)


def read_s3_and_opt_ml(namespaced: Account) -> None:
    namespaced.put("numbers/one.txt", b"1")
    hyperparameters = {
        "sagemaker_program": "program.py",
        "sagemaker_submit_directory": namespaced.source(SOURCE),
        "sagemaker_torch_distributed_enabled": "true",
    }
    job = namespaced.run(
        "",
        hosts=2,
        AlgorithmSpecification={"TrainingImage": IMAGE},
        InputDataConfig=[channel("numbers", "numbers/")],
        HyperParameters=hyperparameters,
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    files = namespaced.archive(job["ModelArtifacts"]["S3ModelArtifacts"])
    assert sorted(files) == ["awsalgo-1", "awsalgo-2"]
    assert all(b'"folder": "/opt/ml/code", "data": "1", "interface": "eth0"' in text for text in files.values())


def stop(namespaced: Account) -> None:
    """The program's process is the first of its namespace, which gets only the signals that it handles."""
    name = namespaced.create(
        """
def save(*_):
    (MODEL / HOST).write_text("half")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
(CHECKPOINTS / HOST).touch()
while True:
    signal.pause()
""",
        hosts=2,
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ready"},
    )
    assert namespaced.wait_for(lambda: len(namespaced.keys("ready")) == 2, name)
    namespaced.sagemaker.stop_training_job(TrainingJobName=name)
    job = namespaced.ended(name)
    assert job["TrainingJobStatus"] == "Stopped"
    assert namespaced.archive(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"algo-1": b"half", "algo-2": b"half"}


def kill_the_engine(namespaced: Account) -> None:
    name = namespaced.create("import subprocess; subprocess.Popen(['sleep', '600']); signal.pause()", hosts=2)
    assert wait_until(lambda: len(processes_of_job(name)) >= 4)  # each host has its program and the program's child
    of_job, of_engine = processes_of_job(name), processes_of(namespaced.folder)
    os.kill(namespaced.engine, signal.SIGKILL)
    assert gone_in_time(of_job | of_engine)
