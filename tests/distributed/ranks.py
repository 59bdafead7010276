"""Real processes that train together. They start fast, because a server imports torch once and forks each of them."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch

from rehearsal.processes import free_port
from tests.patience import PATIENCE_S


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    status: int
    """As in subprocess: negative for a signal."""
    result: Any
    """What `work` returned; None if it raised."""
    log: str
    """Standard output and error."""


class Rank:
    """One process with torchrun's variables and one thread."""

    def __init__(self, work: Callable[..., Any], arguments: tuple[Any, ...], log: Path, env: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["training.train", "tests.distributed.work"])
        self._log = log
        log.touch()  # a process may be killed before it can
        self._results, theirs = context.Pipe(duplex=False)
        self.process: ForkServerProcess = context.Process(target=_run, args=(work, arguments, log, dict(env), theirs))
        self.process.start()
        theirs.close()

    def wait(self) -> Ended:
        """Wait until the process ends; raise AssertionError after PATIENCE_S."""
        try:
            result = self._results.recv() if self._results.poll(PATIENCE_S) else None
        except EOFError:
            result = None
        self.process.join(PATIENCE_S)
        status = self.process.exitcode
        if status is None:
            self.process.kill()
            raise AssertionError(f"the process did not end in {PATIENCE_S} s; its log:\n{self._log.read_text()}")
        return Ended(status, result, self._log.read_text())


def start(
    work: Callable[..., Any], *arguments: Any, size: int, folder: Path, env: Mapping[str, str] = {}
) -> list[Rank]:
    """Start `work(*arguments)` in `size` processes that can connect to each other."""
    folder.mkdir(parents=True, exist_ok=True)
    port = str(free_port())
    ranks = []
    for rank in range(size):
        world = {"RANK": str(rank), "LOCAL_RANK": "0", "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
        log = folder / f"rank-{rank}.log"
        ranks.append(Rank(work, arguments, log, {**world, **meeting, **env}))
    return ranks


def run(work: Callable[..., Any], *arguments: Any, size: int, folder: Path) -> list[Any]:
    """The results of `work(*arguments)` in `size` processes. Raises AssertionError with the log if one fails."""
    ended = [rank.wait() for rank in start(work, *arguments, size=size, folder=folder)]
    for rank, end in enumerate(ended):
        assert end.status == 0, f"rank {rank} ended with {end.status}:\n{end.log}"
    return [end.result for end in ended]


def _run(
    work: Callable[..., Any], arguments: tuple[Any, ...], log: Path, env: dict[str, str], results: Connection
) -> None:
    os.environ.update(env)
    torch.set_num_threads(1)
    status = 0
    with log.open("w", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
        try:
            results.send(work(*arguments))
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
            status = 1
    results.close()
    os._exit(status)
