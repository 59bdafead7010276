"""SageMaker's training jobs: the operations. training_run.py runs a job."""

import logging
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rehearsal.cloud.api import AwsError, Engine, Json, Request
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.images import Images, application_python, filled
from rehearsal.cloud.json_service import Operation
from rehearsal.cloud.sagemaker.events import TRAINING_JOB_STATE, announce
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.listing import page
from rehearsal.cloud.sagemaker.pull import check_pull, is_private, pull
from rehearsal.cloud.sagemaker.service import PRINCIPAL, SESSION, arn
from rehearsal.cloud.sagemaker.tags import Tags
from rehearsal.cloud.sagemaker.training_record import ENDED, TrainingRecord
from rehearsal.cloud.sagemaker.training_request import check_request
from rehearsal.cloud.sagemaker.training_run import Resources, TrainingRun
from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from rehearsal.hosts.network import Loopback, Network

logger = logging.getLogger(__name__)


class TrainingJobs:
    """The training jobs of one account and region. hosts: "auto", "namespaces" or "loopback"."""

    def __init__(self, engine: Engine, clock: Clock, images: Images, tags: Tags, hosts: str = "auto") -> None:
        self._engine, self._clock, self._images, self._tags = engine, clock, images, tags
        self._hosts = hosts
        self._runs: dict[str, tuple[TrainingRecord, TrainingRun]] = {}
        self._lock = threading.Lock()

    def operations(self) -> Mapping[str, Operation]:
        """See `Part`."""
        return {
            "CreateTrainingJob": self._create,
            "DeleteTrainingJob": self._delete,
            "DescribeTrainingJob": self._describe,
            "ListTrainingJobs": self._list,
            "StopTrainingJob": self._stop,
        }

    def _create(self, parameters: Json, request: Request) -> Json:
        name = check_request(parameters)
        job = arn(self._engine, "training-job", name)
        role, image = parameters["RoleArn"], parameters["AlgorithmSpecification"]["TrainingImage"]
        self._engine.check_pass_role(request, role, PRINCIPAL)
        known = self._images.find(image)
        if not known.train and not parameters["AlgorithmSpecification"].get("ContainerEntrypoint"):
            raise AwsError("ValidationException", f"The images file has no command `train` for the image {image}.")
        credentials = self._engine.credentials(role, SESSION, PRINCIPAL, source=job)
        check_pull(self._engine, credentials, role, image)
        if is_private(image, self._engine.account):
            try:
                pull(self._engine.client("ecr", credentials), image, role)
            except HostingError as error:
                raise AwsError("ValidationException", str(error)) from error
        python = application_python()
        resources = Resources(
            engine=self._engine,
            clock=self._clock,
            credentials=credentials,
            entry_point=filled(known.train, python=python, folder=str(self._images.folder)),
            python=python,
            networks=self._network,
        )
        record = TrainingRecord(parameters, job, self._announce)
        run = TrainingRun(record, resources)
        with self._lock:
            if name in self._runs:
                raise AwsError(
                    "ResourceInUse",
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({job})",
                )
            self._runs[name] = record, run
        self._tags.create(job, parameters.get("Tags", []))
        self._announce(record.describe())
        run.start()
        return {"TrainingJobArn": job}

    def _announce(self, description: Json) -> None:
        """Send the event of a change."""
        announce(self._engine, TRAINING_JOB_STATE, description["TrainingJobArn"], description)

    def _network(self, stack: ExitStack, folder: Path) -> Network:
        if self._hosts != "loopback":
            try:
                return stack.enter_context(Namespaces(folder))
            except NamespacesRefusedError as error:
                if self._hosts == "namespaces":
                    raise
                logger.warning("%s", error)
        return Loopback()

    def _known(self, parameters: Json) -> tuple[TrainingRecord, TrainingRun]:
        with self._lock:
            found = self._runs.get(parameters["TrainingJobName"])
        if found is None:
            raise AwsError("ValidationException", "Requested resource not found.")
        return found

    def _describe(self, parameters: Json, _: Request) -> Json:
        return self._known(parameters)[0].describe()

    def _stop(self, parameters: Json, _: Request) -> Json:
        record, run = self._known(parameters)
        if not record.stop():
            raise AwsError(
                "ValidationException",
                f"The request was rejected because the training job is in status {record.status}.",
            )
        run.stop()
        return {}

    def _delete(self, parameters: Json, _: Request) -> Json:
        record, run = self._known(parameters)
        if record.status not in ENDED:
            raise AwsError(
                "ResourceInUse",
                f"Training job {record.name} is in status {record.status}; only an ended one is deleted.",
            )
        run.join()
        with self._lock:
            self._runs.pop(record.name, None)
        self._tags.forget(record.arn)
        return {}

    def _list(self, parameters: Json, _: Request) -> Json:
        with self._lock:
            found = [record.summary() for record, _ in self._runs.values()]
        # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListTrainingJobs.html
        return page(
            found,
            parameters,
            member="TrainingJobSummaries",
            name="TrainingJobName",
            status="TrainingJobStatus",
            order="Ascending",
        )
