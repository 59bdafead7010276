"""The versions of the model in SageMaker's Model Registry: a finished training becomes one, approved or rejected.

docs/decisions/0117-models-in-the-registry.md
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from contract.photos import is_digest

from .aws_errors import Answer, TrainingError, wait_for_permission
from .description import accuracy, metrics
from .model_version import DATA_DIGEST, GATE, INSTANCES, SOURCE_ARCHIVE, TRAINING_IMAGE, TRAINING_JOB, describes
from .request import JobRequest, Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """A model package group, and the accuracy that its versions need."""

    sagemaker: Any
    sleep: Callable[[float], None] = time.sleep

    def admit(self, request: JobRequest, job: Json, *, kept: bool) -> str:
        """Register a finished job's artifact, unless it is registered, and return its version's number.

        job: DescribeTrainingJob's response. kept: the stack had this job before the deploy, so the job is not compared
        with the serving one: CloudFormation rolls a failed update back to it.

        Raises `TrainingError` if the model may not be served: the version is Rejected then.
        """
        name = job["TrainingJobName"]
        version = self._find(request.model_group, name) or self._create(request, job)
        number, approval = version["ModelPackageVersion"], version["ModelApprovalStatus"]
        if approval == "Rejected":
            self._check_not_by_hand(version)
        reason = self._too_low(request, job)
        if not reason and approval != "Approved" and not kept:
            reason = self._worse(request, job)
        decided = "Rejected" if reason else "Approved"
        if decided != approval or reason:  # another deploy may reject it for another reason
            self._call(
                lambda: self.sagemaker.update_model_package(
                    ModelPackageArn=version["ModelPackageArn"],
                    ModelApprovalStatus=decided,
                    ApprovalDescription=f"{GATE} {reason or _passed(request, job)}"[:1024],
                )
            )
        if reason:
            raise TrainingError(
                f"Version {number} of the model ({name}) is rejected: {reason} The endpoint was not changed. The job "
                "is kept: a deploy with another setting uses its result and trains nothing."
            )
        return str(number)

    def _find(self, group: str, job: str) -> Json | None:
        """The version that this job has made, as ListModelPackages describes it."""
        return next(
            (each for each in self._versions(group) if each.get("ModelPackageDescription") == describes(job)), None
        )

    def _versions(self, group: str) -> Iterator[Json]:
        query = {"ModelPackageGroupName": group, "SortBy": "CreationTime", "SortOrder": "Descending"}
        while True:
            page = self._call(lambda: self.sagemaker.list_model_packages(MaxResults=100, **query))
            yield from page["ModelPackageSummaryList"]
            if not page.get("NextToken"):
                return
            query["NextToken"] = page["NextToken"]

    def _create(self, request: JobRequest, job: Json) -> Json:
        name, resources = job["TrainingJobName"], job["ResourceConfig"]
        arn: str = self._call(
            lambda: self.sagemaker.create_model_package(
                ModelPackageGroupName=request.model_group,
                ModelPackageDescription=describes(name),
                # no InferenceSpecification: the image that serves is built after the training, in another stack
                SourceUri=job["ModelArtifacts"]["S3ModelArtifacts"],
                CustomerMetadataProperties={
                    TRAINING_JOB: name,
                    TRAINING_IMAGE: request.image,
                    INSTANCES: f"{resources['InstanceCount']} x {resources['InstanceType']}",
                    DATA_DIGEST: _data_digest(request, name),
                    SOURCE_ARCHIVE: request.hyperparameters.get("sagemaker_submit_directory", "unknown")[:256],
                    **{metric: f"{value:.6g}" for metric, value in metrics(job).items()},
                },
            )["ModelPackageArn"]
        )
        number = int(arn.rpartition("/")[2])
        print(f"job={name} model_version={number} registered")
        return {"ModelPackageArn": arn, "ModelPackageVersion": number, "ModelApprovalStatus": "PendingManualApproval"}

    def _check_not_by_hand(self, version: Json) -> None:
        found = self._call(lambda: self.sagemaker.describe_model_package(ModelPackageName=version["ModelPackageArn"]))
        reason = found.get("ApprovalDescription", "")
        if not reason.startswith(GATE):
            number, arn = version["ModelPackageVersion"], version["ModelPackageArn"]
            raise TrainingError(
                f"A person rejected version {number} of the model ({reason or 'without a reason'}). The endpoint was "
                "not changed. Approve it, then deploy again: aws sagemaker update-model-package --model-package-arn "
                f"{arn} --model-approval-status Approved"
            )

    def _too_low(self, request: JobRequest, job: Json) -> str:
        found = accuracy(job)
        if not request.least_accuracy or (found is not None and found >= request.least_accuracy):
            return ""
        measured = "was not measured" if found is None else f"is {found:.4f}"
        return (
            f"its accuracy on the test photos {measured}, and training.least_accuracy is {request.least_accuracy:g}. "
            "Improve the training, or lower that setting."
        )

    def _worse(self, request: JobRequest, job: Json) -> str:
        """Why it is worse than the serving model; empty if it is not, or if one of the two was not measured."""
        serving, found = self._serving_job(request), accuracy(job)
        if serving is None or found is None or serving["TrainingJobName"] == job["TrainingJobName"]:
            return ""
        before = accuracy(serving)
        if before is None or found >= before - request.accuracy_tolerance:
            return ""
        name, other = job["TrainingJobName"], serving["TrainingJobName"]
        photos = "" if _photos(request, name) == _photos(request, other) else ", which was measured on other photos"
        return (
            f"its accuracy on the test photos is {found:.4f}. That of the serving model, of the job {other}, is "
            f"{before:.4f}{photos}, and training.accuracy_tolerance is {request.accuracy_tolerance:g}. Improve the "
            "training, or raise that setting."
        )

    def _serving_job(self, request: JobRequest) -> Json | None:
        """DescribeTrainingJob's response for the job whose artifact the endpoint serves.

        None without an endpoint, and for an artifact that no job of this environment has made.
        """
        try:
            endpoint = self._call(lambda: self.sagemaker.describe_endpoint(EndpointName=request.endpoint))
            config = self._call(
                lambda: self.sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
            )
            model = self._call(
                lambda: self.sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
            )
            artifact = model.get("PrimaryContainer", {}).get("ModelDataUrl", "")
            name = artifact.removeprefix(f"{request.artifacts.uri}artifacts/").partition("/")[0]
            if not name.startswith(f"{request.prefix}-"):
                return None
            job: Json = self._call(lambda: self.sagemaker.describe_training_job(TrainingJobName=name))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
                return None  # one of them does not exist
            raise
        return job

    def _call(self, call: Callable[[], Answer]) -> Answer:
        """The answer to a call that this function's role may not be known to be allowed yet."""
        return wait_for_permission(call, self.sleep)


def _passed(request: JobRequest, job: Json) -> str:
    found = accuracy(job)
    measured = "was not measured" if found is None else f"is {found:.4f}"
    return f"its accuracy on the test photos {measured}, and training.least_accuracy is {request.least_accuracy:g}."


def _data_digest(request: JobRequest, job: str) -> str:
    """The photos' digest, or its first ten digits, which are part of the job's name."""
    photos = _photos(request, job)
    named = request.data_version
    return named if is_digest(named) and named.startswith(photos) else photos


def _photos(request: JobRequest, job: str) -> str:
    """The half of a job's name that stands for its photos."""
    digests = job[len(f"{request.prefix}-") :]
    return digests[10:20]
