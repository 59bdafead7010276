"""The local training job: the environment of each host, and the root cause of a failure."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from rehearsal.hosts.training_job import TrainingJob, TrainingJobFailedError, run_training_job
from tests.patience import PATIENCE_S
from tests.rehearsal.still_running import gone_in_time, orphans_of

# Programs that each host runs. In MEET the ranks connect over a socket, as with a real backend.
REPORT = """
import json, os, sys
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ)}))
"""
MEET = """
import os, socket, sys, time
rank, address = int(os.environ["RANK"]), (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
def meet():
    if rank == 0:
        return socket.create_server(address).accept()[0]
    while True:
        try:
            return socket.create_connection(address)
        except ConnectionRefusedError:
            time.sleep(0.01)
peer = meet()
failure = os.environ["SM_OUTPUT_DIR"] + "/failure"
"""
CAUSE_WRITES_ITS_FAILURE = (
    MEET
    + """
if rank == 1:
    open(failure, "w").write("ValueError: poodle.jpg is not a photo")
    raise SystemExit(1)
peer.recv(1)
open(failure, "w").write("RuntimeError: Connection closed by peer")
raise SystemExit(1)
"""
)
CAUSE_IS_KILLED = (
    MEET
    + """
if rank == 1:
    os.kill(os.getpid(), 9)
peer.recv(1)
open(failure, "w").write("RuntimeError: Connection closed by peer")
raise SystemExit(1)
"""
)
PEER_ABORTS = (
    MEET
    + """
if rank == 1:
    open(failure, "w").write("ValueError: poodle.jpg is not a photo")
    raise SystemExit(1)
peer.recv(1)
os.abort()
"""
)
ONE_FAILS_ONE_WAITS = """
import os, signal
if os.environ["RANK"] == "1":
    raise SystemExit("no photos")
signal.pause()
"""
WRITE = """
import os, sys
from pathlib import Path
if sys.argv[1] == os.environ["RANK"] or sys.argv[1] == "all":
    folder = Path(os.environ["SM_MODEL_DIR"], "code")
    folder.mkdir()
    (folder / "model.onnx").write_text("weights")
"""
OWNER = """
import os, sys
from pathlib import Path
from rehearsal.hosts.training_job import run_training_job
run_training_job([sys.executable, "-c", "import os, signal; print(os.getpid()); signal.pause()"],
                 job_dir=Path(sys.argv[1]), on_line=lambda line: os.write(1, f"{line}\\n".encode()))
"""


def run(program: str, job_dir: Path, *arguments: str) -> TrainingJob:
    return run_training_job([sys.executable, "-c", program, *arguments], job_dir=job_dir, timeout_s=PATIENCE_S)


def failure(program: str, job_dir: Path) -> str:
    with pytest.raises(TrainingJobFailedError) as caught:
        run(program, job_dir)
    return str(caught.value)


def test_each_host_gets_the_variables_and_files_that_sagemaker_gives_it(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    lines: list[str] = []
    job = run_training_job(
        [sys.executable, "-c", REPORT, "--checkpoint-dir", "/opt/ml/checkpoints"],
        job_dir=tmp_path / "job",
        channels={"data": photos},
        hyperparameters={"learning-rate": 0.1, "epochs": 3},
        on_line=lines.append,
    )

    reports = [json.loads((tmp_path / f"job/logs/algo-{rank}.log").read_text()) for rank in (1, 2)]
    assert lines == [json.dumps(reports[0])]
    for rank, (host, report) in enumerate(zip(job.hosts, reports, strict=True)):
        env = report["env"]
        assert report["argv"] == [
            "--checkpoint-dir",
            str(host.checkpoints),
            "--epochs",
            "3",
            "--learning-rate",
            "0.1",
        ]
        assert (env["RANK"], env["WORLD_SIZE"], env["LOCAL_RANK"]) == (str(rank), "2", "0")
        assert json.loads(env["SM_HOSTS"]) == ["algo-1", "algo-2"]
        assert env["SM_CURRENT_HOST"] == host.name == f"algo-{rank + 1}"
        assert env["SM_CHANNEL_DATA"] == str(photos)
        assert env["SM_HP_LEARNING_RATE"] == "0.1"
        assert env["SM_MODEL_DIR"] == str(host.model)
        assert env["SAGEMAKER_BASE_DIR"] == str(host.base)
        assert int(env["OMP_NUM_THREADS"]) == max(1, (os.cpu_count() or 1) // 2)
        assert json.loads((host.config / "resourceconfig.json").read_text())["current_host"] == host.name
        assert json.loads((host.config / "hyperparameters.json").read_text()) == {
            "epochs": "3",
            "learning-rate": "0.1",
        }
    assert reports[0]["env"]["MASTER_PORT"] == reports[1]["env"]["MASTER_PORT"]


def test_the_model_consists_of_the_files_that_the_hosts_wrote(tmp_path: Path) -> None:
    job = run(WRITE, tmp_path, "0")

    assert (job.model_dir / "code" / "model.onnx").read_text() == "weights"


def test_the_same_file_from_two_hosts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingJobFailedError, match=r"algo-1 and algo-2 both wrote code/model\.onnx"):
        run(WRITE, tmp_path, "all")


def test_a_second_run_keeps_only_the_checkpoints(tmp_path: Path) -> None:
    first = run(WRITE, tmp_path, "0")
    (first.hosts[0].checkpoints / "epoch-1").touch()
    second = run(WRITE, tmp_path, "none")

    assert (second.hosts[0].checkpoints / "epoch-1").exists()
    assert list(second.model_dir.iterdir()) == []


@pytest.mark.parametrize("program", [CAUSE_WRITES_ITS_FAILURE, PEER_ABORTS], ids=["peer fails", "peer aborts"])
def test_the_error_starts_with_the_host_that_has_the_root_cause(tmp_path: Path, program: str) -> None:
    message = failure(program, tmp_path)

    assert message.startswith("Training failed on algo-2: ValueError: poodle.jpg is not a photo")
    assert "Connection closed" not in message


def test_a_killed_host_is_the_root_cause_although_it_wrote_no_failure(tmp_path: Path) -> None:
    message = failure(CAUSE_IS_KILLED, tmp_path)

    assert message.startswith("Training failed on algo-2, which ended with signal SIGKILL")


def test_a_failure_ends_the_hosts_that_still_wait(tmp_path: Path) -> None:
    message = failure(ONE_FAILS_ONE_WAITS, tmp_path)

    assert message.startswith("Training failed on algo-2, which ended with exit code 1")
    assert "no photos" in message


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TrainingJobFailedError, match=r"algo-1 and algo-2 did not end within 0\.2 s"):
        run_training_job([sys.executable, "-c", "import signal; signal.pause()"], job_dir=tmp_path, timeout_s=0.2)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_job_leaves_no_host_behind(tmp_path: Path, how: signal.Signals) -> None:
    assert gone_in_time(orphans_of(OWNER, str(tmp_path), how=how))
