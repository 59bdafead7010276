"""How the hosts of a training job are started: the command, the environment and the files of each."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.cloud.api import Credentials, Engine, Json
from rehearsal.cloud.environment import kept
from rehearsal.hosts.configuration import resource_config, write_configuration
from rehearsal.hosts.namespaces import Namespaces
from rehearsal.hosts.network import Host, Network
from rehearsal.hosts.toolkit import Toolkit
from rehearsal.hosts.toolkit_variables import threads_of_each
from rehearsal.processes import free_port

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """A job's container.

    entry_point: the image's own. python: of the application's environment. folder: for what the job needs beside its
    hosts.
    """

    engine: Engine
    request: Json
    entry_point: Sequence[str]
    credentials: Credentials
    network: Network
    python: str
    folder: Path

    def command(self) -> list[str]:
        """The entry point of the request, or the image's, with the arguments of the request."""
        algorithm = self.request["AlgorithmSpecification"]
        return [*(algorithm.get("ContainerEntrypoint") or self.entry_point), *algorithm.get("ContainerArguments", [])]

    def variables(self, hosts: Sequence[Host], arn: str) -> dict[str, str]:
        """The environment of every host."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        return {
            **kept(),
            "TMPDIR": str(self.folder / "tmp"),
            "OMP_NUM_THREADS": threads_of_each(len(hosts)),
            "TRAINING_JOB_NAME": self.request["TrainingJobName"],
            "TRAINING_JOB_ARN": arn,
            **self._train_command(hosts),
            **self._aws(),
            **self.request.get("Environment", {}),
        }

    def prepare(self, hosts: Sequence[Host], host: Host, channels: Mapping[str, Json]) -> None:
        """Write the files that the host reads at its start."""
        kind = self.request["ResourceConfig"]["InstanceType"]
        write_configuration(
            host,
            resources=resource_config(hosts, host, self.network, kind),
            channels=channels,
            hyperparameters=self.request.get("HyperParameters", {}),
        )

    def _aws(self) -> dict[str, str]:
        own = {
            "AWS_REGION": self.engine.region,
            "AWS_DEFAULT_REGION": self.engine.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if self.request.get("EnableNetworkIsolation"):
            return own  # no calls, and no credentials
        return {**own, **self.credentials.variables(), "AWS_ENDPOINT_URL": self.network.reach(self.engine.url)}

    def _train_command(self, hosts: Sequence[Host]) -> dict[str, str]:
        """Where `train` is found: AWS's toolkit where it is built and the hosts have names, else its stand-in."""
        python = str(Path(self.python).parent)
        path = os.environ.get("PATH", os.defpath)
        toolkit = Toolkit.find() if isinstance(self.network, Namespaces) else None
        if toolkit is not None:
            return {
                "PATH": os.pathsep.join([python, str(toolkit.train.parent), path]),
                "SAGEMAKER_TRAINING_MODULE": "sagemaker_pytorch_container.training:main",
            }
        programs = self.folder / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        train = programs / "train"
        module = f"{shlex.quote(self.python)} -m rehearsal.hosts.train_command"
        train.write_text(f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(REPOSITORY))} exec {module}\n")
        train.chmod(0o755)
        found = {"PATH": os.pathsep.join([str(programs), python, path])}
        if isinstance(self.network, Namespaces):
            return found
        # on loopback the names of hosts do not resolve, and jobs beside each other need ports of their own
        return {**found, "MASTER_ADDR": self.network.address(hosts[0]), "MASTER_PORT": str(free_port())}
