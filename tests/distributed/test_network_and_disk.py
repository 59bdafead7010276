"""Failures that need separate hosts: a cut network cable, a full disk, SIGTERM to PID 1."""

import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from rehearsal.hosts.namespaces import Namespaces
from rehearsal.hosts.network import Host
from rehearsal.processes import ProcessGroup
from tests.distributed import work
from tests.distributed.dogs import write_photos
from tests.distributed.namespaced import Hosts, ended_within
from tests.distributed.small_network import WIDTH, resnet50, write_weights
from tests.patience import PATIENCE_S
from training import checkpoint
from training.checkpoint import Progress
from training.distributed import World

ENDLESS = ("--epochs", "10000")
TIMEOUT_S = 10
"""After which a host counts as lost. The hosts also have it to meet, and on a busy machine one starts seconds later."""
STOP_S = 120
"""How long SageMaker waits after SIGTERM."""
TRAIN = Path(__file__).resolve().parents[2] / "training" / "train.py"


@pytest.fixture
def hosts(tmp_path: Path, network: Namespaces) -> Iterator[Hosts]:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    with ProcessGroup(tmp_path / "logs") as group:
        yield Hosts(network, group, tmp_path, size=2)


def newest(folder: Path) -> Progress:
    """The newest checkpoint of the only run in the folder, as a resumed run finds it."""
    (run,) = folder.iterdir()
    found = checkpoint.newest(folder, run.name, World(0, 1, torch.device("cpu")))
    assert found is not None
    return found[0]


def test_a_cut_cable_ends_both_hosts_in_time(hosts: Hosts) -> None:
    children = hosts.start(*ENDLESS, env={"SMALL_TIMEOUT_S": str(TIMEOUT_S)})
    hosts.wait_for("epoch=2 ", children[0])
    (line, *_) = work.lines(children[0].log.read_text(), "epoch=1 ")
    hosts.network.cut(1)

    assert ended_within(PATIENCE_S, children) == [1, 1]
    for host in hosts.hosts:
        assert host.failure.read_text().startswith("Another process is gone")
    # What went through the cable before: the gradient of the head (a layer norm and a linear layer for three breeds),
    # and at most as much again for packet headers and the stop flag of each step.
    gradient = 4 * (2 * WIDTH + 3 * (WIDTH + 1))
    assert gradient < int(line["sent_bytes_per_step"]) < 2 * gradient


@pytest.mark.slow
def test_the_failure_file_of_a_host_has_the_root_cause_of_its_peer(hosts: Hosts) -> None:
    children = hosts.start(own={1: ["--pretrained", "/nowhere.safetensors"]})

    assert ended_within(PATIENCE_S, children) == [1, 1]
    peer, root_cause = (host.failure.read_text() for host in hosts.hosts)
    assert root_cause.startswith("The file of pretrained weights /nowhere.safetensors does not exist")
    assert peer.startswith("Another process is gone, and this one cannot continue without it. algo-2 (rank 1): ")
    assert peer.endswith(root_cause)


def test_sigterm_to_pid_1_saves_the_step_and_exits(hosts: Hosts) -> None:
    children = hosts.start(
        *ENDLESS, "--checkpoint-every", "10000"
    )  # so that only the stop can have written a checkpoint
    hosts.wait_for("epoch=2 ", children[0])
    for child in children:
        child.signal(signal.SIGTERM)

    assert ended_within(STOP_S, children) == [128 + signal.SIGTERM] * 2
    assert newest(hosts.hosts[0].checkpoints) >= Progress(2, 0)
    assert "Traceback" not in "".join(child.log.read_text() for child in children)


@pytest.mark.slow
def test_sigterm_to_pid_1_ends_resnet50_in_time_too(network: Namespaces, tmp_path: Path) -> None:
    """Every weight of ResNet50 in batches of 63: a step takes seconds on one core, and a checkpoint has 380 MB."""
    write_photos(tmp_path / "photos", counts={"train": 42, "valid": 2, "test": 2})
    write_weights(tmp_path / "weights.safetensors", resnet50)
    full = ("--mode", "full", "--image-size", "224", "--batch-size", "64", "--checkpoint-every", "10000")
    with ProcessGroup(tmp_path / "logs") as group:
        hosts = Hosts(network, group, tmp_path, size=2, program=str(TRAIN))
        children = hosts.start(*ENDLESS, *full)
        hosts.wait_for("epoch=1 ", children[0], timeout_s=PATIENCE_S)
        began = time.monotonic()
        for child in children:
            child.signal(signal.SIGTERM)
        codes = ended_within(STOP_S, children)
        print(f"exited after {time.monotonic() - began:.1f} s")

    assert codes == [128 + signal.SIGTERM] * 2
    assert newest(hosts.hosts[0].checkpoints) >= Progress(1, 0)


def test_sigterm_to_pid_1_ends_the_import_of_torch(network: Namespaces, tmp_path: Path) -> None:
    host = Host(0, tmp_path / "algo-1")
    host.prepare()
    program = [sys.executable, str(TRAIN), "--data", "/nowhere", "--model-dir", "/opt/ml/model"]
    words = ["sh", "-c", 'echo up; exec "$@"', "sh", *program]
    with ProcessGroup(tmp_path / "logs") as group:
        child = group.start("algo-1", network.command(host, words, []))
        group.wait_until(lambda: child.log.read_text() == "up\n", what="PID 1", timeout_s=PATIENCE_S)
        while not child.wait(0.05):  # Python ignores it until the script has set a handler
            child.signal(signal.SIGTERM)

    assert child.exit_code() == 128 + signal.SIGTERM
    assert child.log.read_text() == "up\n"  # else it would have reported that /nowhere does not exist


def test_a_full_disk_leaves_the_previous_checkpoints(hosts: Hosts) -> None:
    """There is space for two checkpoints of 23 KB, but not for a third."""
    disk = "mount -t tmpfs -o size=60k tmpfs /opt/ml/checkpoints"
    keep = "cp -r /opt/ml/checkpoints /opt/ml/output/data"
    first, _ = hosts.start(*ENDLESS, wrap=f'{disk}; "$@"; status=$?; {keep}; exit $status')
    assert ended_within(PATIENCE_S, [first]) == [1]
    reason = hosts.hosts[0].failure.read_text()
    failed = re.match(
        r"The checkpoint epoch-(\d{6})-000000 cannot be written into /opt/ml/checkpoints \(No space", reason
    )
    assert failed, reason
    assert Progress(2, 0) <= newest(hosts.hosts[0].output_data / "checkpoints") < Progress(int(failed[1]), 0)
