"""The real CDK command line, as a child process of the rehearsal."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from environments import Environment
from ops.deploy.cdk import ROOT, Cdk
from ops.rehearse.errors import RehearsalError
from rehearsal.processes import Child, ProcessGroup

POLL_S = 0.2
SYNTH = ("synth", "--quiet", "--no-validation")
"""`make test` validates the templates, which takes CDK as long as the rest."""
UNASKED = ("--require-approval", "never", "--concurrency", "4", "--progress", "events")
"""For `deploy`: no question, and a line for each event."""
SHOWN_FROM = ("_FAILED", "ROLLBACK", "❌", "Error")
"""What the first line of a failure contains."""
MOST_SHOWN = 40


class CdkFailedError(RehearsalError):
    """A command of the CDK command line that failed. printed: its output."""

    def __init__(self, message: str, printed: str) -> None:
        super().__init__(message)
        self.printed = printed


class CommandLine:
    """Runs commands of CDK for one environment, with this process's variables. group: ends them with the rehearsal."""

    def __init__(self, environment: Environment, group: ProcessGroup) -> None:
        """Raises DeployRefusedError if the command line is not installed."""
        self._variables = {
            **Cdk(environment).variables,
            "CI": "true",
            "NO_COLOR": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "1",
        }
        self._group = group

    def start(self, name: str, arguments: Sequence[str], *, on_line: Callable[[str], None] | None = None) -> Child:
        """Start a command. name: that of its log."""
        program = str(ROOT / "node_modules" / ".bin" / "cdk")
        return self._group.start(f"cdk-{name}", [program, *arguments], env=self._variables, cwd=ROOT, on_line=on_line)

    def finish(self, child: Child, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait for its end; `meanwhile` is called again and again. Raises CdkFailedError if it fails."""
        while child.exit_code() is None:
            child.forward_lines()
            meanwhile()
            time.sleep(POLL_S)
        child.forward_lines()
        self._group.end(child)
        if child.exit_code():
            printed = child.log.read_text(encoding="utf-8", errors="replace")
            raise CdkFailedError(
                f"`{child.name.replace('-', ' ', 1)}` failed. The end of its output:\n{end_of(printed)}\n"
                f"All of it: {child.log}",
                printed,
            )

    def run(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        on_line: Callable[[str], None] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Start a command and wait for its end. Raises CdkFailedError if it fails."""
        self.finish(self.start(name, arguments, on_line=on_line), meanwhile)

    def bootstrap(self, assembly: Path) -> None:
        self.run("bootstrap", ["bootstrap", "--app", str(assembly)])

    def destroy(self, assembly: Path) -> None:
        self.run("destroy", ["destroy", "--app", str(assembly), "--all", "--force", "--progress", "events"])


def end_of(printed: str) -> str:
    """From the first failure in the output of CDK to its end, without the events that succeeded."""
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if any(sign in line for sign in SHOWN_FROM)), 0)
    shown = [line for line in lines[first:] if "_IN_PROGRESS " not in line and "_COMPLETE " not in line]
    return "\n".join((shown or lines)[-MOST_SHOWN:])
