"""What the steps of a rehearsal share: the local AWS, the command line, the templates and the clients."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console

from environments import Environment
from ops.data.bucket import output_of
from ops.deploy import inputs
from ops.rehearse.command_line import SYNTH, UNASKED, CdkFailedError, CommandLine
from ops.rehearse.function import Function
from ops.rehearse.plan import Plan
from ops.rehearse.training_log import TrainingLog
from ops.session import session
from ops.views.steps import Report, Steps
from ops.views.training_log import TrainingLines
from rehearsal.cloud.local import LocalAws
from rehearsal.processes import Child
from stacks.settings.context import ENVIRONMENT
from training.data.dataset import DataSet

_DEPLOYED = re.compile(r"✅\s+(\w+)")


@dataclass(kw_only=True, slots=True)
class Stage:
    """A rehearsal whose local AWS runs."""

    plan: Plan
    environment: Environment
    data: DataSet
    aws: LocalAws
    cdk: CommandLine
    steps: Steps
    console: Console
    inputs: list[str] = field(default_factory=list)
    """What `make deploy` tells CDK of the photos and the weights."""
    change: tuple[str, ...] = ()
    """Settings that an update has changed, NAME=VALUE."""
    _session: boto3.Session | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def assembly(self) -> Path:
        """The templates that are deployed."""
        return self.folder("assembly")

    def folder(self, name: str) -> Path:
        """A folder of templates."""
        return (self.aws.folder / name).resolve()

    def client(self, service: str, **options: Any) -> Any:
        """The boto3 client with which the operator calls a service."""
        make: Any = self.session.client  # its types name every service
        if options:
            return make(service, **options)
        if service not in self._clients:
            self._clients[service] = make(service)
        return self._clients[service]

    @property
    def session(self) -> boto3.Session:
        """boto3, as `kennel` uses it for this environment."""
        if self._session is None:
            self._session = session(self.environment.name)
        return self._session

    @property
    def model(self) -> Path:
        """The folder of the model that is deployed."""
        return self.plan.model or self.plan.folder / "job" / "model"

    @property
    def function(self) -> Function:
        """The function that was deployed."""
        return Function(self.client, output_of("api", "FunctionArn", environment=self.environment.name))

    def context(self, *settings: str) -> list[str]:
        """The options of a synthesis, as `make deploy` gives them. settings: NAME=VALUE, stronger than the others."""
        named = [f"{ENVIRONMENT}={self.environment.name}"]
        return [*_options(named), *self.inputs, *_options([*self.plan.context(), *self.change, *settings])]

    def synthesise(self, folder: Path, name: str = "synth", *settings: str) -> None:
        """Write the templates into a folder, which is emptied first. Raises CdkFailedError."""
        self.cdk.finish(self.start_synthesis(folder, name, *settings))

    def start_synthesis(self, folder: Path, name: str, *settings: str) -> Child:
        """Start to write the templates; `cdk.finish` waits for their end."""
        shutil.rmtree(folder, ignore_errors=True)
        return self.cdk.start(name, [*SYNTH, "--output", str(folder), *self.context(*settings)])

    @property
    def settings(self) -> list[str]:
        """What is deployed, NAME=VALUE, besides what `make deploy` finds in the bucket."""
        return [*self.plan.context(), *self.change]

    def predicted_inputs(self, *weights: str) -> list[str]:
        """The inputs that `make deploy` will find in the bucket once the photos are there.

        weights: the setting of the weights that are there already, if there are any.
        """
        found = {"environment": self.environment.name, "account": self.aws.settings.account}
        found["region"] = self.aws.settings.region
        photos = [f"kennel.photos_{key}={value}" for key, value in found.items()]
        return _options([f"training.data_version={self.data.digest()}", *weights, *photos])

    def found_inputs(self) -> list[str]:
        """The inputs that `make deploy` finds in the bucket."""
        return inputs.cdk_options(self.environment.name)

    def deploy(
        self,
        name: str,
        stacks: list[str],
        report: Report,
        *,
        assembly: Path | None = None,
        lines: TrainingLines | None = None,
    ) -> None:
        """Run `cdk deploy`. name: that of its log. lines: gets the log of the training, if the deploy may train.

        Raises CdkFailedError.
        """
        deployed: set[str] = set()

        def on_line(line: str) -> None:
            if found := _DEPLOYED.search(line):
                deployed.add(found[1])
                report(len(deployed), len(deployed) + 1, f"{found[1]} is deployed")

        arguments = ["deploy", *stacks, "--app", str(assembly or self.assembly), *UNASKED]
        if lines is None:
            self.cdk.run(name, arguments, on_line=on_line)
            return
        log = TrainingLog(self.client, self.environment.job_prefix, lines)
        try:
            self.cdk.run(name, arguments, on_line=on_line, meanwhile=log.poll)
        except CdkFailedError as error:
            log.read()
            if reason := log.failure():
                raise CdkFailedError(f"{error}\n{reason}", error.printed) from error
            raise
        log.read()


def _options(settings: Iterable[str]) -> list[str]:
    return [word for each in settings for word in ("-c", each)]
