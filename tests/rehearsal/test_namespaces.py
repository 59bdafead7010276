"""Hosts in namespaces: they see what a SageMaker container sees, and a machine without namespaces gives an error."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contract.training_container import HOST_NAME
from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from rehearsal.hosts.training_job import run_training_job
from tests.patience import PATIENCE_S
from tests.rehearsal.container import serving
from tests.rehearsal.still_running import gone_in_time, orphans_of

REPORT = """
import json, os, socket
from pathlib import Path
def error_of(call):
    try:
        call()
    except OSError as error:
        return error.strerror
Path(os.environ["SM_MODEL_DIR"], os.environ["SM_CURRENT_HOST"]).write_text("weights")
print(json.dumps({
    "name": os.environ["SM_CURRENT_HOST"], "gethostname": socket.gethostname(), "pid": os.getpid(),
    "own": socket.gethostbyname(socket.gethostname()), "peers": [socket.gethostbyname(f"algo-{n}") for n in (1, 2)],
    "model_dir": os.environ["SM_MODEL_DIR"], "data": os.listdir(os.environ["SM_CHANNEL_DATA"]),
    "interfaces": [name for _, name in socket.if_nameindex()], "network": os.environ["SM_NETWORK_INTERFACE_NAME"],
    "write": error_of(lambda: Path(os.environ["SM_CHANNEL_DATA"], "new").touch()),
    "internet": error_of(lambda: socket.create_connection(("192.0.2.1", 80), 5)),
    "config": json.loads(Path("/opt/ml/input/config/resourceconfig.json").read_text()),
}))
"""
MEET = """
import os, socket, time
if os.environ["RANK"] == "0":
    socket.create_server(("0.0.0.0", 7777)).accept()
else:
    while socket.socket().connect_ex((os.environ["MASTER_ADDR"], 7777)):
        time.sleep(0.01)
"""
ASK = """
import os, urllib.error, urllib.request
for url in os.environ["URLS"].split():
    try:
        print(urllib.request.urlopen(f"{url}/ping").status)
    except urllib.error.URLError:
        print("refused")
"""
OWNER = """
import os, subprocess, sys
from pathlib import Path
from rehearsal.hosts.namespaces import Namespaces
from rehearsal.hosts.training_job import run_training_job
def descendants(_):
    parents = [map(int, line.split()) for line in subprocess.getoutput("ps -e -o ppid= -o pid=").splitlines()]
    found = {os.getpid()}
    for _ in range(8):
        parents = [tuple(pair) for pair in parents]
        found |= {pid for parent, pid in parents if parent in found}
    alive = [pid for pid in found - {os.getpid()} if os.path.exists(f"/proc/{pid}")]
    os.write(1, f"{' '.join(map(str, alive))}\\n".encode())
with Namespaces(Path(sys.argv[1]) / "network") as network:
    words = ["sh", "-c", "echo up; sleep 600"]
    run_training_job(words, job_dir=Path(sys.argv[1]) / "job", network=network, on_line=descendants)
"""
ENTER = """
import sys
from pathlib import Path
from rehearsal.hosts.namespaces import Namespaces
with Namespaces(Path(sys.argv[1])):
    pass
"""


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_a_host_sees_what_a_container_of_sagemaker_sees(tmp_path: Path, network: Namespaces) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "rex.jpg").touch()
    job = run_training_job(python(REPORT), job_dir=tmp_path / "job", channels={"data": photos}, network=network)

    for number in (1, 2):
        report = json.loads((tmp_path / "job" / "logs" / f"algo-{number}.log").read_text())
        assert report["name"] == f"algo-{number}"
        assert report["gethostname"] == HOST_NAME  # the same on both
        assert report["own"] == f"10.77.0.{number}"
        assert report["pid"] == 1
        assert report["peers"] == ["10.77.0.1", "10.77.0.2"]
        assert report["model_dir"] == "/opt/ml/model"
        assert (report["data"], report["write"]) == (["rex.jpg"], "Read-only file system")
        assert sorted(report["interfaces"]) == ["eth0", "lo"]
        assert report["network"] == report["config"]["network_interface_name"] == "eth0"
        assert report["internet"] == "Network is unreachable"
        assert report["config"]["hosts"] == ["algo-1", "algo-2"]
    assert sorted(path.name for path in job.model_dir.iterdir()) == ["algo-1", "algo-2"]
    assert [path.name for path in photos.iterdir()] == ["rex.jpg"]


def test_hosts_reach_each_other_and_can_be_started_again(tmp_path: Path, network: Namespaces) -> None:
    for _ in range(3):
        run_training_job(python(MEET), job_dir=tmp_path / "job", network=network, timeout_s=PATIENCE_S)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_owner_leaves_no_process_behind(
    tmp_path: Path, network: Namespaces, how: signal.Signals
) -> None:
    pids = orphans_of(OWNER, str(tmp_path), how=how)

    assert len(pids) >= 5  # the switch, and two hosts of two processes or more
    assert gone_in_time(pids)


def test_the_error_for_a_missing_program_names_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NamespacesRefusedError, match=r"need `unshare`, which is not installed .*apt install"):
        Namespaces(tmp_path / "network").__enter__()


def test_a_machine_that_does_not_allow_namespaces_gives_a_sentence(tmp_path: Path, network: Namespaces) -> None:
    """Runs in a user namespace in which no further ones can be created."""
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        limit,
        "sh",
        *python(ENTER),
        str(tmp_path / "refused"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "rehearsal.hosts.namespaces.NamespacesRefusedError: This machine does not allow namespaces (unshare: "
    )
    assert last.endswith("Hosts on loopback work without namespaces.")


def test_hosts_reach_the_servers_that_are_opened_to_them_and_no_others(network: Namespaces, tmp_path: Path) -> None:
    with serving() as open_to_hosts, serving() as closed:
        reached = network.reach(open_to_hosts.url)
        run_training_job(
            python(ASK), job_dir=tmp_path / "job", network=network, env={"URLS": f"{reached} {closed.url}"}
        )

    for rank in (1, 2):
        assert (tmp_path / f"job/logs/algo-{rank}.log").read_text().split() == ["200", "refused"]
