"""The pinned CDK command line, as a process that this program can end."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from environments import Environment
from environments.agreement import VARIABLE
from ops.deploy.cdk import PROGRAM, ROOT

GRACE_S = 20
"""How long the command line may take to end after a signal."""


class Cdk:
    """Runs commands of the CDK command line for one environment. logs: the folder of their output."""

    def __init__(self, environment: Environment, logs: Path) -> None:
        self._environment = environment
        self._logs = logs

    def synth(self, output: Path, settings: Sequence[str]) -> Path | None:
        """Write the templates of the environment with these settings (`name=value`).

        Returns None, or the log of a synthesis that failed.
        """
        options = [option for each in settings for option in ("-c", each)]
        return self._run("synth", ["synth", "--quiet", "--no-validation", "--output", str(output), *options])

    def deploy(self, name: str, templates: Path, stacks: Sequence[str]) -> Path | None:
        """Deploy stacks, and those that they need, without a question. Returns None, or the log if that failed."""
        options = ["--require-approval", "never", "--progress", "events", "--concurrency", "4"]
        return self._run(name, ["deploy", "--app", str(templates), *options, *stacks])

    def destroy(self, templates: Path) -> Path | None:
        """Delete every stack. Returns None, or the log if that failed."""
        return self._run("destroy", ["destroy", "--app", str(templates), "--all", "--force", "--progress", "events"])

    def _run(self, name: str, arguments: Sequence[str]) -> Path | None:
        programs = Path(sys.executable).parent
        variables = {
            **os.environ,
            "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)]),
            VARIABLE: self._environment.name,
        }
        if self._environment.profile:
            variables["AWS_PROFILE"] = self._environment.profile
        command = [str(PROGRAM), *arguments]
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            # In a session of its own: Ctrl-C reaches this program alone, which then decides what to end.
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = child.wait()
            finally:
                if child.poll() is None:
                    _end(child)
        return log if status else None


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
