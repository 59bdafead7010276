"""The hosts of a training job on one machine: their folders and names, and the network between them."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

OPT_ML = Path("/opt/ml")
"""The folder for all input and output of a SageMaker training container."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host of the job: its rank, and the folder that it uses as /opt/ml."""

    rank: int
    base: Path

    @property
    def name(self) -> str:
        return f"algo-{self.rank + 1}"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        return self.base / "output" / "data"

    @property
    def failure(self) -> Path:
        return self.base / "output" / "failure"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    @property
    def config(self) -> Path:
        return self.base / "input" / "config"

    def prepare(self) -> None:
        """Create empty folders. Checkpoints stay, as they do in S3 when a job is started again."""
        for folder in (self.model, self.base / "output", self.base / "input", self.base / "code"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.model, self.output_data, self.checkpoints, self.config):
            folder.mkdir(parents=True, exist_ok=True)


class Network(Protocol):
    """The network between the hosts: a context manager, within which hosts can be started."""

    interface: str
    """The name of the network interface between the hosts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def name(self, host: Host) -> str:
        """The host's name in SM_HOSTS."""

    def address(self, host: Host) -> str:
        """The name or IP address by which the other hosts reach it."""

    def base(self, host: Host) -> Path:
        """The path of the host's /opt/ml, as its processes see it."""

    def channel(self, host: Host, name: str, folder: Path) -> Path:
        """The path of the channel's folder, as the host's processes see it."""

    def command(self, host: Host, words: Sequence[str], channels: Sequence[tuple[str, Path]]) -> list[str]:
        """The command that runs `words` on the host. A word that begins with /opt/ml means the host's folder."""

    def environment(self, host: Host) -> dict[str, str]:
        """Environment variables with the host's paths and network interface."""

    def reach(self, url: str) -> str:
        """The URL by which the hosts reach a server of this machine, whose own URL has a port."""


class Loopback:
    """All hosts are processes of this machine, and reach each other over its loopback interface.

    With `numeric`, a host's name is an IP address, for programs that resolve the names.
    """

    interface = "lo"

    def __init__(self, *, numeric: bool = False) -> None:
        self._numeric = numeric

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    def name(self, host: Host) -> str:
        return self.address(host) if self._numeric else host.name

    def address(self, host: Host) -> str:
        return f"127.0.0.{host.rank + 1}" if self._numeric else "127.0.0.1"

    def base(self, host: Host) -> Path:
        return host.base

    def channel(self, host: Host, name: str, folder: Path) -> Path:  # noqa: ARG002
        return folder

    def command(self, host: Host, words: Sequence[str], channels: Sequence[tuple[str, Path]]) -> list[str]:
        data = host.base / "input" / "data"
        data.mkdir(exist_ok=True)
        for name, folder in channels:
            (data / name).symlink_to(folder)
        start = str(OPT_ML)
        return [str(host.base) + word.removeprefix(start) if word.startswith(start) else word for word in words]

    def environment(self, host: Host) -> dict[str, str]:
        base = {"SAGEMAKER_BASE_DIR": str(host.base)}
        return {**base, "GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else base

    def reach(self, url: str) -> str:
        return url
