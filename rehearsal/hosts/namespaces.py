"""Hosts in Linux namespaces: separate hosts on one machine, without Docker and without root.

    with Namespaces(Path("build/network")) as network:
        job = run_training_job([...], job_dir=Path("build/job"), network=network)

As in a SageMaker container, a host has its own `eth0` and /opt/ml, and its first process has PID 1. gethostname()
returns the same name on every host; the names that differ, `algo-N`, are those that resolve. A bridge, the switch,
connects the `eth0` of all hosts. There is no route to the internet, as with SageMaker's network isolation, nor to this
machine, except to a server that `reach` opens to them. Except for /opt/ml and /etc/hosts, the file system is that of
the machine.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from contract.training_container import HOST_NAME
from rehearsal.hosts.forwarder import Forwarder
from rehearsal.hosts.network import OPT_ML, Host
from rehearsal.processes import ProcessFailedError, ProcessGroup

MOST_HOSTS = 64
_SWITCH_ADDRESS = "10.77.0.254"
_PROGRAMS = ("unshare", "nsenter", "mount", "hostname", "ip")
_ALTERNATIVE = "Hosts on loopback work without namespaces."

_SWITCH = """
set -eu
ip link add switch type bridge
ip link set switch up
ip addr add "$1/24" dev switch
echo ready
exec sleep infinity
"""

_LISTEN = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener, socket.socket(fileno=0) as owner:
    socket.send_fds(owner, [b" "], [listener.fileno()])
"""

# The PID of the switch is valid only outside the host's PID namespace, so that one is created last.
_HOST = """
set -eu
switch=$1 name=$2 own=$3 address=$4 names=$5 scratch=$6 base=$7 channels=$8
shift 8
hostname "$own"
ip link set lo up
# After a restart of the host, the kernel may not have removed the port of its predecessor yet.
nsenter --target "$switch" --net ip link delete "$name" 2>/dev/null || true
ip link add eth0 type veth peer name "$name" netns "$switch"
nsenter --target "$switch" --net ip link set "$name" master switch up
ip addr add "$address/24" dev eth0
ip link set eth0 up
{ cat "$names"; echo "$address $own"; } > "$scratch/hosts"  # as Docker does with a container's host name
mount --bind "$scratch/hosts" /etc/hosts
while [ "$channels" -gt 0 ]; do
  mkdir -p "$base/input/data/$1"
  mount --bind "$2" "$base/input/data/$1"
  mount -o remount,bind,ro "$base/input/data/$1" || true  # fails if the folder's mount has flags that must be kept
  shift 2
  channels=$((channels - 1))
done
exec 9<"$base"  # it may be under /opt, where the overlay would hide it
mount -t tmpfs tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work"
mount -t overlay overlay -o "lowerdir=/opt,upperdir=$scratch/upper,workdir=$scratch/work" /opt
mkdir -p /opt/ml /opt/tmp
mount --no-canonicalize --rbind /proc/self/fd/9 /opt/ml
exec 9<&-
exec unshare --pid --fork --kill-child=KILL --mount-proc "$@"
"""


class NamespacesRefusedError(Exception):
    """This machine does not allow namespaces. The message is one sentence with the remedy."""


class Namespaces:
    """A switch, and the hosts that it connects. `folder` holds the switch's log and the hosts' mount points.

    `__enter__` raises NamespacesRefusedError if the machine does not allow namespaces.
    """

    interface = "eth0"

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._group = ProcessGroup(self._folder)
        self._forwarders = ExitStack()

    def __enter__(self) -> Self:
        missing = [program for program in _PROGRAMS if shutil.which(program) is None]
        if sys.platform != "linux":
            raise NamespacesRefusedError(f"Namespaces need Linux, and this is {sys.platform}. {_ALTERNATIVE}")
        if missing:
            raise NamespacesRefusedError(
                f"Hosts in namespaces need `{missing[0]}`, which is not installed (Debian: apt install iproute2 "
                f"util-linux hostname mount). {_ALTERNATIVE}"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        names = [f"{_address(rank)} algo-{rank + 1}" for rank in range(MOST_HOSTS)]
        (self._folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names, ""]))
        self._group.__enter__()
        try:
            unshare = ["unshare", "--user", "--map-root-user", "--net"]
            self._switch = self._group.start(
                "switch", [*unshare, "sh", "-c", _SWITCH, "switch", _SWITCH_ADDRESS], env=_environment()
            )
            self._group.wait_until(
                lambda: "ready" in self._switch.log.read_text(), what="the hosts' network switch", timeout_s=10
            )
            self._start_trial_host()
        except BaseException as error:
            self._group.__exit__(None, None, None)
            if isinstance(error, ProcessFailedError):
                last = self._switch.log.read_text().strip().splitlines()[-1:] or ["no output"]
                raise NamespacesRefusedError(_refusal(last[0])) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._group.__exit__(kind, error, traceback)
        finally:
            self._forwarders.close()

    def name(self, host: Host) -> str:
        return host.name

    def address(self, host: Host) -> str:
        return host.name

    def base(self, host: Host) -> Path:  # noqa: ARG002
        return OPT_ML

    def channel(self, host: Host, name: str, folder: Path) -> Path:  # noqa: ARG002
        return OPT_ML / "input" / "data" / name

    def environment(self, host: Host) -> dict[str, str]:  # noqa: ARG002
        return {"SAGEMAKER_BASE_DIR": str(OPT_ML), "GLOO_SOCKET_IFNAME": self.interface, "TMPDIR": "/opt/tmp"}

    def command(self, host: Host, words: Sequence[str], channels: Sequence[tuple[str, Path]]) -> list[str]:
        scratch = self._folder / f"{host.name}-scratch"
        scratch.mkdir(exist_ok=True)
        folders = [word for name, folder in channels for word in (name, str(folder.resolve()))]
        names = [host.name, HOST_NAME, _address(host.rank), str(self._folder / "hosts")]
        settings = [str(self._switch.pid), *names, str(scratch)]
        unshare = ["unshare", "--net", "--mount", "--uts", "sh", "-c", _HOST, host.name]
        return [*self._inside(), *unshare, *settings, str(host.base), str(len(channels)), *folders, *words]

    def cut(self, rank: int) -> None:
        """Disconnect a host from the switch. Its packets are lost without an error, as on a real network."""
        command = [*self._inside(), "ip", "link", "set", f"algo-{rank + 1}", "down"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

    def reach(self, url: str) -> str:
        server = urlsplit(url)
        port = server.port or 0
        forwarder = Forwarder(self._listen(port), (server.hostname or "", port))
        self._forwarders.enter_context(forwarder)
        return f"{server.scheme}://{_SWITCH_ADDRESS}:{port}"

    def _listen(self, port: int) -> socket.socket:
        """A socket that listens on the switch, opened by a process inside and handed over to this one."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [*self._inside(), sys.executable, "-I", "-S", "-c", _LISTEN, _SWITCH_ADDRESS, str(port)]
            subprocess.run(command, check=True, stdin=theirs.fileno(), env=_environment())
            _, (listener, *_), _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=listener)

    def _inside(self) -> list[str]:
        return ["nsenter", "--target", str(self._switch.pid), "--user", "--net", "--preserve-credentials"]

    def _start_trial_host(self) -> None:
        """Start a host that ends at once, to find out whether hosts can be started."""
        host = Host(MOST_HOSTS - 1, self._folder / "trial")
        host.base.mkdir(exist_ok=True)
        trial = subprocess.run(
            self.command(host, ["true"], []),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            env=_environment(),
        )
        if trial.returncode:
            raise NamespacesRefusedError(_refusal((trial.stderr.strip().splitlines() or ["no output"])[-1]))


def _environment() -> dict[str, str]:
    """The variables of the network's own processes: the owner's, without its credentials."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _address(rank: int) -> str:
    return f"10.77.0.{rank + 1}"


def _refusal(reason: str) -> str:
    hint = "in a container, run it with --privileged" if Path("/.dockerenv").exists() else ""
    if Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").exists():
        hint = hint or "on Ubuntu, run `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
    return f"This machine does not allow namespaces ({reason}){'; ' + hint if hint else ''}. {_ALTERNATIVE}"
