"""The hosts of a training job on one machine: their folders, their names, and the network that joins them."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

OPT_ML = Path("/opt/ml")
"""Where SageMaker's containers find and leave everything."""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the job: its rank, and the folder that is its /opt/ml."""

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
        """Fresh folders; checkpoints stay, as those in S3 do when a job is started again."""
        for folder in (self.model, self.base / "output", self.base / "input", self.base / "code"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.model, self.output_data, self.checkpoints, self.config):
            folder.mkdir(parents=True, exist_ok=True)


class Network(Protocol):
    """What joins the hosts. Used as a context manager: inside it, hosts can be started."""

    interface: str
    """The network interface between the hosts, by name."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def name(self, host: Host) -> str:
        """What the host is called in SM_HOSTS."""

    def address(self, host: Host) -> str:
        """Where the others reach the host."""

    def base(self, host: Host) -> Path:
        """The host's /opt/ml, as its own processes see it."""

    def channel(self, host: Host, name: str, folder: Path) -> Path:
        """The channel's folder, as the host's own processes see it."""

    def command(self, host: Host, words: Sequence[str], channels: Sequence[tuple[str, Path]]) -> list[str]:
        """What starts `words` on the host. A word that begins with /opt/ml means the host's own folder."""

    def environment(self, host: Host) -> dict[str, str]:
        """Variables that the host needs to find its way."""


class Loopback:
    """The hosts are processes side by side, on the machine's own loopback interface.

    With `numeric`, a host's name is an address that needs no look-up, for programs that look the names up.
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
