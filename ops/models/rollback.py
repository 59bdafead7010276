"""Serve an earlier version: a guarded update of the endpoint, with the image that serves now."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.data.aws_errors import explained
from ops.data.bucket import bucket_and_key
from ops.models.errors import ModelsError
from ops.models.serving import Serving, serving
from ops.models.versions import Version
from ops.views.steps import Report
from stacks.training.handler.model_version import served_again

POLL_S = 5
IN_TRANSITION = ("Creating", "Updating", "SystemUpdating", "RollingBack")
NEEDS = (
    "sagemaker:AddTags, sagemaker:CreateModel, sagemaker:CreateEndpointConfig, sagemaker:UpdateEndpoint and "
    "iam:PassRole on the model's role"
)
CAPTURE = [{"VariantPropertyType": "DataCaptureConfig"}]
"""Not retained, as in the Serving stack: a retained one could be turned neither on nor off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollback:
    """The update of one endpoint to one version."""

    sagemaker: Any
    version: Version
    before: Serving
    group: str
    """Starts the names of the model and of the endpoint configuration that it creates."""
    tags: Mapping[str, str]
    guarded: bool = True
    """Whether the alarms of the last deployment end the update and bring the old model back."""
    sleep: Callable[[float], None] = time.sleep

    def check(self, s3: Any, cloudwatch: Any) -> None:
        """Raises ModelsError if the version cannot be served now, and BucketError if AWS refuses a call."""
        number, name = self.version.number, self.before.name
        if self.version.approval == "Rejected":
            raise ModelsError(
                f"Version {number} is rejected ({self.version.reason or 'without a reason'}), so it is not served. "
                "Choose another one, or approve it: aws sagemaker update-model-package --model-approval-status "
                f"Approved --model-package-arn {self.version.arn}"
            )
        if self.before.status != "InService":
            reason = self.before.endpoint.get("FailureReason")
            raise ModelsError(
                f"The endpoint {name} is {self.before.status}, not InService{f' ({reason})' if reason else ''}. Wait "
                "until its update has ended, then try again."
            )
        if not self.before.artifact:
            raise ModelsError(
                f"The model of the endpoint {name} has no ModelDataUrl, so Kennel did not deploy it. Deploy it again."
            )
        _check_artifact(s3, self.version)
        if self.guarded:
            self._check_alarms(cloudwatch)

    def _alarms(self) -> list[str]:
        rollback = self._deployment().get("AutoRollbackConfiguration") or {}
        return [alarm["AlarmName"] for alarm in rollback.get("Alarms", [])]

    def _deployment(self) -> dict[str, Any]:
        return dict(self.before.endpoint.get("LastDeploymentConfig") or {})

    def _check_alarms(self, cloudwatch: Any) -> None:
        name, alarms = self.before.name, self._alarms()
        if not alarms:
            raise ModelsError(
                f"The last deployment of the endpoint {name} had no alarms, so nothing would end an update that "
                "fails. Deploy with serving.rollout.rollback=true, or update without alarms: --unguarded"
            )
        with explained("the call that reads the alarms", needs="cloudwatch:DescribeAlarms"):
            found = cloudwatch.describe_alarms(AlarmNames=alarms)
        firing = [alarm["AlarmName"] for alarm in found["MetricAlarms"] if alarm["StateValue"] == "ALARM"]
        if firing:
            raise ModelsError(
                f"{', '.join(firing)} is in ALARM, and SageMaker ends an update that begins then. If the model that "
                "serves now is the cause, update without alarms: --unguarded"
            )

    def run(self, report: Report) -> Serving:
        """Create model and configuration, update the endpoint, and wait. Returns what it serves then.

        Raises ModelsError if SageMaker rolled the update back, and BucketError if AWS refuses a call.
        """
        name = served_again(self.group, self.version.number)
        with explained(f"the update of the endpoint {self.before.name}", needs=NEEDS):
            self._delete(name)  # of an earlier rollback to this version
            self._create(name)
            try:
                self._update(name)
            except ClientError:
                self._delete(name)
                raise
        after = self._wait(report)
        if after.endpoint["EndpointConfigName"] != name or after.status != "InService":
            self._delete(name)
            raise ModelsError(
                f"The endpoint {self.before.name} does not serve version {self.version.number}: SageMaker rolled the "
                f"update back, and it is {after.status} with the model of before. SageMaker's reason: "
                f"{after.endpoint.get('FailureReason', 'none')}. The containers' output is in the log group "
                f"/aws/sagemaker/Endpoints/{self.before.name}."
            )
        self._delete_earlier(name)
        return after

    def _create(self, name: str) -> None:
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        model = self._copied("CreateModel", self.before.model)
        model["PrimaryContainer"] = {**model["PrimaryContainer"], "ModelDataUrl": self.version.artifact}
        model["PrimaryContainer"].pop("ModelDataSource", None)  # DescribeModel shows the same artifact in both forms
        self.sagemaker.create_model(**{**model, "ModelName": name, "Tags": tags})
        config = self._copied("CreateEndpointConfig", self.before.config)
        (variant,) = config["ProductionVariants"]
        config["ProductionVariants"] = [{**variant, "ModelName": name}]
        try:
            self.sagemaker.create_endpoint_config(**{**config, "EndpointConfigName": name, "Tags": tags})
        except ClientError:
            self._delete(name)
            raise

    def _copied(self, operation: str, described: Mapping[str, Any]) -> dict[str, Any]:
        """What a Describe operation shows of an input of the operation that created the resource."""
        shape = self.sagemaker.meta.service_model.operation_model(operation).input_shape
        given = {key: value for key, value in described.items() if key in shape.members}
        return {key: value for key, value in given.items() if value not in (None, {}, [])}

    def _update(self, name: str) -> None:
        deployment = self._deployment()
        if not self.guarded:
            deployment.pop("AutoRollbackConfiguration", None)
        self.sagemaker.update_endpoint(
            EndpointName=self.before.name,
            EndpointConfigName=name,
            RetainAllVariantProperties=True,  # the number of instances that autoscaling has chosen
            ExcludeRetainedVariantProperties=CAPTURE,
            **({"DeploymentConfig": deployment} if deployment else {}),
        )

    def _wait(self, report: Report) -> Serving:
        policy = self._deployment().get("BlueGreenUpdatePolicy", {})
        routing = policy.get("TrafficRoutingConfiguration", {})
        expected = routing.get("WaitIntervalInSeconds", 0) + policy.get("TerminationWaitInSeconds", 0)
        started = time.monotonic()
        while True:
            found = serving(self.sagemaker, self.before.name)
            if found is None:
                raise ModelsError(f"The endpoint {self.before.name} was deleted meanwhile.")
            if found.status not in IN_TRANSITION:
                return found
            waited = int(time.monotonic() - started)
            # how long instances take to start is not known, so the bar is full only at the end
            report(min(waited, expected), max(expected, waited) + POLL_S, _note(found))
            self.sleep(POLL_S)

    def _delete_earlier(self, name: str) -> None:
        """Delete what earlier rollbacks created, and the endpoint no longer uses. Neither costs anything."""
        with explained("the deletion of what an earlier rollback created", needs="sagemaker:DeleteModel"):
            listed = self.sagemaker.list_endpoint_configs(NameContains=f"{self.group}-v", MaxResults=100)
            for each in listed["EndpointConfigs"]:
                earlier = each["EndpointConfigName"]
                if earlier != name and earlier.startswith(f"{self.group}-v"):
                    self._delete(earlier)

    def _delete(self, name: str) -> None:
        with _unless_missing():
            self.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        with _unless_missing():
            self.sagemaker.delete_model(ModelName=name)


@contextmanager
def _unless_missing() -> Iterator[None]:
    """What does not exist needs no deletion."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise


def _check_artifact(s3: Any, version: Version) -> None:
    bucket, key = bucket_and_key(version.artifact)
    with explained(f"the look at {version.artifact}", needs="s3:GetObject"):
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchBucket"):
                raise ModelsError(
                    f"The artifact of version {version.number} was deleted: there is no {version.artifact}. Choose "
                    "another version: kennel models"
                ) from error
            raise


def _note(found: Serving) -> str:
    pending = found.endpoint.get("PendingDeploymentSummary", {}).get("ProductionVariants", [])
    states = [status["Status"] for variant in pending for status in variant.get("VariantStatus", [])]
    return f"{found.status}{f', the new instances: {states[-1]}' if states else ''}"
