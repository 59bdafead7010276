"""One processing job from its start to its end, in a thread: inputs, the container, outputs.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rehearsal.cloud.api import AwsError, Credentials, Engine, Json
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.embedded_metrics import extract
from rehearsal.cloud.environment import kept
from rehearsal.cloud.sagemaker.container_logs import ContainerLogs
from rehearsal.cloud.sagemaker.processing_files import download_inputs, make_outputs, upload_outputs
from rehearsal.cloud.sagemaker.processing_record import ProcessingRecord
from rehearsal.cloud.sagemaker.processing_request import OPT_ML, output_config
from rehearsal.cloud.sagemaker.role_rights import check_encryption, check_vpc
from rehearsal.cloud.sagemaker.s3_files import TransferError
from rehearsal.processes import Child, ProcessFailedError, ProcessGroup

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
HOST = "algo-1"
GRACE_S = 120
"""Between SIGTERM and SIGKILL, on the clock of the local AWS: as for a training job, of which alone AWS says it."""
LONGEST_RUN_S = 86_400
"""Without MaxRuntimeInSeconds."""
POLL_S = 0.05


class AlgorithmError(Exception):
    """The container ended with an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a run needs. image: the words of the images file that start a program of the image."""

    engine: Engine
    clock: Clock
    credentials: Credentials
    image: Sequence[str]
    python: str


class ProcessingRun:
    """A run of a processing job. `record` shows what it does."""

    def __init__(self, record: ProcessingRecord, resources: Resources) -> None:
        self._record, self._resources = record, resources
        self._folder = resources.engine.folder / "processing" / record.name
        self._base = self._folder / "ml"
        """What stands for the container's /opt/ml."""
        self._stopped = threading.Event()
        self._timed_out = False
        self._thread = threading.Thread(target=self._run, name=f"processing job {record.name}", daemon=True)

    def start(self) -> None:
        """Start it, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End it early: the container gets SIGTERM."""
        self._stopped.set()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _run(self) -> None:
        failure = ""
        try:
            self._process()
        except TransferError as error:
            failure = f"ClientError: {error}"
        except AwsError as error:
            failure = f"ClientError: {error.code}: {error}"
        except UnicodeDecodeError:
            failure = "ClientError: The file /opt/ml/output/message is not encoded in UTF-8."
        except (AlgorithmError, ProcessFailedError) as error:
            failure = f"AlgorithmError: {error}"
        except Exception as error:
            logger.exception("processing job %s", self._record.name)
            failure = f"InternalServerError: {error}"
        finally:
            shutil.rmtree(self._base, ignore_errors=True)
        if failure and not self._ends_early:
            self._record.end("Failed", failure)
        else:
            self._record.end("Stopped" if self._ends_early else "Completed")

    @property
    def _ends_early(self) -> bool:
        return self._stopped.is_set() or self._timed_out

    def _process(self) -> None:
        engine, credentials, request = self._resources.engine, self._resources.credentials, self._record.request
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._base / "output").mkdir(parents=True)
        (self._folder / "tmp").mkdir()
        check_vpc(engine, credentials, request.get("NetworkConfig", {}).get("VpcConfig", {}))
        check_encryption(engine, credentials, output_config(request).get("KmsKeyId", ""))
        s3 = engine.client("s3", credentials)
        download_inputs(s3, request, self._base)
        make_outputs(request, self._base)
        self._write_configuration()
        if self._stopped.is_set():
            return
        self._record.start()
        code = self._run_container()
        self._read_message()
        # what a stopped or failed container left is uploaded, too: SageMaker keeps what is there at the end
        upload_outputs(s3, request, self._base)
        if code:
            raise AlgorithmError(f"See job logs for more information, exit code: {code}")

    def _write_configuration(self) -> None:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-config.html."""
        folder = self._base / "config"
        folder.mkdir()
        fields = {**self._record.request, "ProcessingJobArn": self._record.arn}
        shown: Json = {name: value for name, value in fields.items() if name != "Tags"}
        (folder / "processingjobconfig.json").write_text(json.dumps(shown))
        (folder / "resourceconfig.json").write_text(json.dumps({"current_host": HOST, "hosts": [HOST]}))

    def _run_container(self) -> int:
        """Its exit code."""
        request, resources = self._record.request, self._resources
        application = request["AppSpecification"]
        words = [*application["ContainerEntrypoint"], *application.get("ContainerArguments", [])]
        stream = f"{self._record.name}/{HOST}-{int(time.time() * 1000)}"
        arrived = partial(extract, resources.engine, LOG_GROUP)
        logs = ContainerLogs(resources.engine.client("logs", resources.credentials), LOG_GROUP, stream, arrived)
        with ProcessGroup(self._folder) as group:
            child = group.start(
                HOST,
                [*resources.image, *map(self._placed, words)],
                env=self._variables(),
                cwd=self._folder,
                on_line=logs.add,
            )
            self._wait(child, logs)
            child.forward_lines(ended=True)
        logs.write()
        code = child.exit_code() or 0
        return code if code >= 0 else 128 - code

    def _placed(self, text: str) -> str:
        """A word or value of the request with this machine's folder for /opt/ml."""
        return text.replace(OPT_ML, str(self._base))

    def _variables(self) -> dict[str, str]:
        request, resources = self._record.request, self._resources
        python = str(Path(resources.python).parent)
        own = {
            **kept(),
            "PATH": os.pathsep.join([python, os.environ.get("PATH", os.defpath)]),
            "TMPDIR": str(self._folder / "tmp"),
            "AWS_REGION": resources.engine.region,
            "AWS_DEFAULT_REGION": resources.engine.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ProcessingJobArn": self._record.arn,
            "ProcessingJobName": self._record.name,
            **{name: self._placed(value) for name, value in request.get("Environment", {}).items()},
        }
        if request.get("NetworkConfig", {}).get("EnableNetworkIsolation"):
            return own  # no calls, and no credentials
        return {**own, **resources.credentials.variables(), "AWS_ENDPOINT_URL": resources.engine.url}

    def _wait(self, child: Child, logs: ContainerLogs) -> None:
        """Until the container has ended, or the job is stopped or takes too long."""
        limit = self._record.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", LONGEST_RUN_S)
        end = time.monotonic() + limit
        while child.exit_code() is None:
            self._timed_out = time.monotonic() > end
            if self._ends_early:
                self._terminate(child)
                return
            self._stopped.wait(POLL_S)
            child.forward_lines()
            logs.write()

    def _terminate(self, child: Child) -> None:
        """SIGTERM, 120 seconds, SIGKILL."""
        child.ended_by_owner = True
        child.signal(signal.SIGTERM)
        clock = self._resources.clock
        end = clock.now() + GRACE_S
        while clock.now() < end and child.exit_code() is None:
            time.sleep(POLL_S)
            child.forward_lines()
        child.signal(signal.SIGKILL)
        child.join()

    def _read_message(self) -> None:
        """ExitMessage. Raises UnicodeDecodeError.

        https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html
        """
        file = self._base / "output" / "message"
        if file.is_file():
            content = file.read_bytes()
            content.decode()
            self._record.left_message(content)
