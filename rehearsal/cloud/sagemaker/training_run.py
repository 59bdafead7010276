"""One training job from its start to its end, in a thread: download, hosts, upload."""

import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rehearsal.cloud.api import AwsError, Credentials, Engine
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.sagemaker.role_rights import check_encryption, check_vpc
from rehearsal.cloud.sagemaker.s3_files import TransferError
from rehearsal.cloud.sagemaker.training_container import Container
from rehearsal.cloud.sagemaker.training_files import (
    Checkpoints,
    channel_configuration,
    download_channels,
    upload_output,
)
from rehearsal.cloud.sagemaker.training_logs import TrainingLogs
from rehearsal.cloud.sagemaker.training_record import TrainingRecord
from rehearsal.hosts.network import Host, Network
from rehearsal.hosts.training_job import find_root_cause
from rehearsal.processes import Child, ProcessFailedError, ProcessGroup

logger = logging.getLogger(__name__)

GRACE_S = 120
"""Between SIGTERM and SIGKILL, on the clock of the local AWS.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopTrainingJob.html"""
LONGEST_RUN_S = 86_400
"""Without MaxRuntimeInSeconds."""
POLL_S = 0.05


class AlgorithmError(Exception):
    """The container ended with an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a run needs. networks: makes an entered network for a job; its argument is the job's own folder."""

    engine: Engine
    clock: Clock
    credentials: Credentials
    entry_point: Sequence[str]
    python: str
    networks: Callable[[ExitStack, Path], Network]


class TrainingRun:
    """A run of a training job. `record` shows what it does."""

    def __init__(self, record: TrainingRecord, resources: Resources) -> None:
        self._record = record
        self._resources = resources
        self._folder = resources.engine.folder / "training" / record.name
        self._stopped = threading.Event()
        self._timed_out = False
        self._thread = threading.Thread(target=self._run, name=f"training job {record.name}", daemon=True)

    def start(self) -> None:
        """Start it, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End it early: the hosts get SIGTERM, and what they leave is uploaded."""
        self._stopped.set()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._train()
        except TransferError as error:
            self._fail(f"ClientError: {error}")
        except AwsError as error:
            self._fail(f"ClientError: {error.code}: {error}")
        except (AlgorithmError, ProcessFailedError) as error:
            self._fail(f"AlgorithmError: {error}")
        except Exception as error:
            logger.exception("training job %s", self._record.name)
            self._fail(f"InternalServerError: {error}")
        else:
            self._succeed()
        finally:
            self._remove_files()

    def _train(self) -> None:
        request = self._record.request
        shutil.rmtree(self._folder, ignore_errors=True)
        hosts = tuple(
            Host(rank, self._folder / f"algo-{rank + 1}") for rank in range(request["ResourceConfig"]["InstanceCount"])
        )
        s3 = self._resources.engine.client("s3", self._resources.credentials)
        for host in hosts:
            host.prepare()
        self._check_rights()
        self._record.enter("Downloading")
        channels = download_channels(s3, request, hosts, self._folder / "channels", self._stopped.is_set)
        checkpoints = Checkpoints(s3, request, hosts, logger.warning)
        checkpoints.restore()
        if not self._stopped.is_set():
            self._record.enter("Training")
            names = [host.name for host in hosts]
            logs = TrainingLogs(self._resources.engine, self._resources.credentials, self._record, names)
            with logs, checkpoints:
                self._supervise(hosts, channels, logs)
        if not self._stopped.is_set():
            self._record.enter("Uploading")
        upload_output(s3, request, hosts, self._record.output_uri, self._folder / "upload")

    def _check_rights(self) -> None:
        """What SageMaker would do as the role before and after the training. Raises AwsError."""
        engine, credentials, request = self._resources.engine, self._resources.credentials, self._record.request
        check_vpc(engine, credentials, request.get("VpcConfig", {}))
        check_encryption(engine, credentials, request["OutputDataConfig"].get("KmsKeyId", ""))

    def _supervise(self, hosts: Sequence[Host], channels: Sequence[dict[str, Path]], logs: TrainingLogs) -> None:
        """Run the hosts until all have ended. Raises AlgorithmError if one fails, ProcessFailedError if none starts."""
        request = self._record.request
        with ExitStack() as stack:
            network = self._resources.networks(stack, self._folder / "network")
            container = Container(
                engine=self._resources.engine,
                request=request,
                entry_point=self._resources.entry_point,
                credentials=self._resources.credentials,
                network=network,
                python=self._resources.python,
                folder=self._folder,
            )
            variables = container.variables(hosts, self._record.arn)
            group = stack.enter_context(ProcessGroup(self._folder / "logs"))
            children: list[Child] = []
            for host, folders in zip(hosts, channels, strict=True):
                container.prepare(hosts, host, channel_configuration(request))
                words = network.command(host, container.command(), list(folders.items()))
                env = {**variables, **network.environment(host)}
                children.append(group.start(host.name, words, env=env, on_line=partial(logs.line, host.name)))
            self._wait(children)
            group.end(*[child for child in children if child.exit_code() is None])
            for child in children:
                child.forward_lines(ended=True)
            cause = find_root_cause(hosts, children)
            if cause is not None and not self._stopped.is_set() and not self._timed_out:
                raise AlgorithmError(_reason(*cause))

    def _wait(self, children: Sequence[Child]) -> None:
        """Until all hosts have ended, or one has failed, or the job is stopped or takes too long."""
        limit = self._record.request["StoppingCondition"].get("MaxRuntimeInSeconds", LONGEST_RUN_S)
        end = time.monotonic() + limit
        while any(child.exit_code() is None for child in children):
            if any(child.failed_by_itself for child in children):
                return
            self._timed_out = time.monotonic() > end
            if self._timed_out or self._stopped.is_set():
                self._terminate(children)
                return
            self._stopped.wait(POLL_S)
            for child in children:
                child.forward_lines()

    def _terminate(self, children: Sequence[Child]) -> None:
        """SIGTERM, 120 seconds, SIGKILL."""
        for child in children:
            child.ended_by_owner = True
            child.signal(signal.SIGTERM)
        clock = self._resources.clock
        end = clock.now() + GRACE_S
        while clock.now() < end and any(child.exit_code() is None for child in children):
            time.sleep(POLL_S)
            for child in children:
                child.forward_lines()
        for child in children:
            child.signal(signal.SIGKILL)

    def _succeed(self) -> None:
        if self._stopped.is_set():
            self._record.end("Stopped", "Stopped")
        elif self._timed_out:
            self._record.end("Stopped", "MaxRuntimeExceeded")
        else:
            self._record.end("Completed", "Completed")

    def _fail(self, reason: str) -> None:
        self._record.end("Failed", "Failed", reason)

    def _remove_files(self) -> None:
        """Leave only the hosts' logs: S3 has the rest."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name != "logs":
                    shutil.rmtree(path, ignore_errors=True)


def _reason(host: Host, child: Child) -> str:
    code = child.exit_code() or 0
    shown = code if code >= 0 else 128 - code
    text = (
        host.failure.read_text(errors="replace").strip()
        if host.failure.is_file()
        else "See job logs for more information"
    )
    ending = f", exit code: {shown}"
    return f"{text[: 1024 - len('AlgorithmError: ') - len(ending)]}{ending}"
