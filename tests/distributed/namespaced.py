"""The whole program on hosts in namespaces, as PID 1 of each. Nothing ends the other hosts if one fails."""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.hosts.namespaces import Namespaces
from rehearsal.hosts.network import Host
from rehearsal.processes import Child, ProcessGroup, free_port
from tests.patience import PATIENCE_S

PLACES = ["--model-dir", "/opt/ml/model", "--output-dir", "/opt/ml/output", "--checkpoint-dir", "/opt/ml/checkpoints"]
SMALL_TRAIN = str(Path(__file__).resolve().with_name("small_train.py"))


def ended_within(seconds: float, children: Sequence[Child]) -> list[int | None]:
    """The exit codes when all have ended or `seconds` have passed; None for a child that still runs."""
    last = time.monotonic() + seconds
    for child in children:
        child.wait(max(0.0, last - time.monotonic()))
    return [child.exit_code() for child in children]


class Hosts:
    """`size` hosts that train on folder/photos, from folder/weights.safetensors; by default the small network."""

    def __init__(
        self, network: Namespaces, group: ProcessGroup, folder: Path, *, size: int, program: str = SMALL_TRAIN
    ) -> None:
        self.network, self._group, self._folder, self._program = network, group, folder, program
        self.hosts = [Host(rank, folder / f"algo-{rank + 1}") for rank in range(size)]

    def start(
        self, *options: str, own: Mapping[int, Sequence[str]] = {}, env: Mapping[str, str] = {}, wrap: str = '"$@"'
    ) -> list[Child]:
        """Start all hosts. own: options of one rank. wrap: a shell command in which "$@" is the program."""
        children = []
        port = str(free_port())
        data = ["--data", str(self._folder / "photos"), "--pretrained", str(self._folder / "weights.safetensors")]
        small = ["--image-size", "32", "--batch-size", "8", "--precision", "fp32"]
        program = [sys.executable, self._program, *PLACES, *data, *small, *options]
        for host in self.hosts:
            host.prepare()
            words = [*program, *own.get(host.rank, [])]
            words = words if wrap == '"$@"' else ["sh", "-c", wrap, "sh", *words]
            environment = {
                **os.environ,
                **self.network.environment(host),
                "SM_HOSTS": json.dumps([each.name for each in self.hosts]),
                "SM_CURRENT_HOST": host.name,
                "SM_NETWORK_INTERFACE_NAME": self.network.interface,
                "MASTER_ADDR": self.network.address(self.hosts[0]),
                "MASTER_PORT": port,
                "RANK": str(host.rank),
                "WORLD_SIZE": str(len(self.hosts)),
                "OMP_NUM_THREADS": "1",
                **env,
            }
            command = self.network.command(host, words, [])
            children.append(self._group.start(host.name, command, env=environment))
        return children

    def wait_for(self, words: str, child: Child, *, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the child has printed the words."""
        self._group.wait_until(lambda: words in child.log.read_text(), what=f"the line {words}", timeout_s=timeout_s)
