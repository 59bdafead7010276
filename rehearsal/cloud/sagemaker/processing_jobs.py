"""SageMaker's processing jobs: the operations. processing_run.py runs a job."""

import threading
from collections.abc import Mapping

from rehearsal.cloud.api import AwsError, Engine, Json, Request
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.images import Images, application_python, filled
from rehearsal.cloud.json_service import Operation
from rehearsal.cloud.sagemaker.events import PROCESSING_JOB_STATE, announce
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.listing import page
from rehearsal.cloud.sagemaker.processing_record import ENDED, ProcessingRecord
from rehearsal.cloud.sagemaker.processing_request import check_request
from rehearsal.cloud.sagemaker.processing_run import ProcessingRun, Resources
from rehearsal.cloud.sagemaker.pull import check_pull, is_private, pull
from rehearsal.cloud.sagemaker.service import PRINCIPAL, SESSION, arn
from rehearsal.cloud.sagemaker.tags import Tags


class ProcessingJobs:
    """The processing jobs of one account and region."""

    def __init__(self, engine: Engine, clock: Clock, images: Images, tags: Tags) -> None:
        self._engine, self._clock, self._images, self._tags = engine, clock, images, tags
        self._runs: dict[str, tuple[ProcessingRecord, ProcessingRun]] = {}
        self._lock = threading.Lock()

    def operations(self) -> Mapping[str, Operation]:
        """See `Part`."""
        return {
            "CreateProcessingJob": self._create,
            "DeleteProcessingJob": self._delete,
            "DescribeProcessingJob": self._describe,
            "ListProcessingJobs": self._list,
            "StopProcessingJob": self._stop,
        }

    def _create(self, parameters: Json, request: Request) -> Json:
        name = check_request(parameters)
        job = arn(self._engine, "processing-job", name)
        role, image = parameters["RoleArn"], parameters["AppSpecification"]["ImageUri"]
        self._engine.check_pass_role(request, role, PRINCIPAL)
        words = self._images.find(image).process
        if not words:
            raise AwsError("ValidationException", f"The images file has no command `process` for the image {image}.")
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
            image=filled(words, python=python, folder=str(self._images.folder)),
            python=python,
        )
        record = ProcessingRecord(parameters, job, self._announce)
        run = ProcessingRun(record, resources)
        with self._lock:
            if name in self._runs:
                raise AwsError(
                    "ResourceInUse",
                    "Job name must be unique within an AWS account and region, and a job with this name already exists "
                    f"({job})",
                )
            self._runs[name] = record, run
        self._tags.create(job, parameters.get("Tags", []))
        self._announce(record.describe())
        run.start()
        return {"ProcessingJobArn": job}

    def _announce(self, description: Json) -> None:
        """Send the event of a change."""
        announce(self._engine, PROCESSING_JOB_STATE, description["ProcessingJobArn"], description)

    def _known(self, parameters: Json) -> tuple[ProcessingRecord, ProcessingRun]:
        name = parameters["ProcessingJobName"]
        with self._lock:
            found = self._runs.get(name)
        if found is None:
            raise AwsError("ResourceNotFound", f"Could not find requested job with name: {name}")
        return found

    def _describe(self, parameters: Json, _: Request) -> Json:
        return self._known(parameters)[0].describe()

    def _stop(self, parameters: Json, _: Request) -> Json:
        record, run = self._known(parameters)
        if record.stop():
            run.stop()
        return {}

    def _delete(self, parameters: Json, _: Request) -> Json:
        record, run = self._known(parameters)
        if record.status not in ENDED:
            raise AwsError(
                "ResourceInUse",
                f"Processing job {record.name} is in status {record.status}; only an ended one is deleted.",
            )
        run.join()
        with self._lock:
            self._runs.pop(record.name, None)
        self._tags.forget(record.arn)
        return {}

    def _list(self, parameters: Json, _: Request) -> Json:
        with self._lock:
            found = [record.summary() for record, _ in self._runs.values()]
        # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListProcessingJobs.html
        return page(
            found,
            parameters,
            member="ProcessingJobSummaries",
            name="ProcessingJobName",
            status="ProcessingJobStatus",
            order="Ascending",
        )
