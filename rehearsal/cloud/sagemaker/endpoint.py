"""One endpoint: its status, its fleets and its traffic, as CreateEndpoint and UpdateEndpoint change them.

Sources: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.capture import Capture, Exchange
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.fleet import Hosting, VariantFleet
from rehearsal.cloud.sagemaker.rollout import Rollout
from rehearsal.cloud.sagemaker.routing import Fleet, Traffic
from rehearsal.cloud.sagemaker.usage import Usages

SERVING = ("InService", "Updating", "SystemUpdating", "RollingBack")
"""The statuses in which an endpoint answers requests."""
IN_TRANSITION = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


class Endpoint:
    """An endpoint. models: of a name, as DescribeModel returns it. on_deleted: called when it is gone."""

    def __init__(self, name: str, arn: str, *, hosting: Hosting, models: Callable[[str], Json], usages: Usages) -> None:
        self.name, self.arn = name, arn
        self.status = "Creating"
        self.failure = ""
        self.config: Json = {}
        self.deployment: Json = {}
        self.created = self.modified = datetime.now(UTC)
        self.traffic = Traffic(())
        self._hosting, self._models, self._usages = hosting, models, usages
        self._capture = Capture(name)
        self._pending: Fleet | None = None
        self._pending_since = self.created
        self._changed = threading.Condition()
        self._ended = threading.Event()

    # -- state

    def wait(self, statuses: tuple[str, ...] = IN_TRANSITION) -> str:
        """Its status, once it is none of these."""
        with self._changed:
            self._changed.wait_for(lambda: self.status not in statuses)
            return self.status

    def start_transition(self, status: str) -> bool:
        """Take a status of `IN_TRANSITION`. Returns False if it already has one."""
        with self._changed:
            if self.status in IN_TRANSITION:
                return False
            self.status = status
            self.modified = datetime.now(UTC)
            return True

    def _settle(self, status: str, failure: str = "") -> None:
        with self._changed:
            self._pending = None
            self.status, self.failure = status, failure
            self.modified = datetime.now(UTC)
            self._changed.notify_all()

    def current(self) -> Fleet | None:
        """The fleet of its endpoint config."""
        return self.traffic.shares[0][0] if self.traffic.shares else None

    def count_instances(self) -> None:
        """Note how many instances get requests."""
        for fleet, _ in self.traffic.shares:
            for variant in fleet.variants:
                self._usages.of(self.name, variant.name).instances = self.traffic.instances(variant.name)

    def fleet(
        self, config: Json, kept: Mapping[str, VariantFleet] | None = None, *, counts: bool, weights: bool
    ) -> Fleet:
        """A fleet for an endpoint config that is not started. kept: variants whose counts or weights it keeps."""
        variants = []
        for declared in config["ProductionVariants"]:
            model = self._models(declared["ModelName"])
            variant = VariantFleet(self._hosting, self.name, declared, model, on_change=self.count_instances)
            old = (kept or {}).get(variant.name)
            if old is not None and counts:
                variant.desired = old.desired
            if old is not None and weights:
                variant.weight = variant.desired_weight = old.weight
            variants.append(variant)
        return Fleet(str(config["EndpointConfigName"]), tuple(variants))

    def capture(self, variant: VariantFleet, exchange: Exchange) -> None:
        """Capture a request and its response, if the endpoint config says so."""
        config = self.config.get("DataCaptureConfig") or {}
        if config.get("EnableCapture"):
            self._capture.add(config, lambda: variant.client("s3"), exchange)

    def publish_metrics(self) -> None:
        """Publish what the instances use."""
        for fleet, _ in self.traffic.shares:
            for variant in fleet.variants:
                variant.publish_metrics()

    # -- changes, each in a thread of its own

    def create(self, config: Json, fleet: Fleet) -> None:
        """Start the first fleet."""
        self._pending, self._pending_since = fleet, self.created
        self.config = config
        try:
            _start(fleet)
        except HostingError as error:
            _close(fleet)
            return self._settle("Failed", str(error))
        self.traffic = Traffic(((fleet, 1.0),))
        self.count_instances()
        return self._settle("InService")

    def update(self, config: Json, green: Fleet, rollout: Rollout) -> None:
        """Blue/green: start a new fleet, shift the traffic to it, and end the old one; or go back to the old one."""
        blue = self.current()
        clock = self._hosting.clock
        began = clock.now()
        self._pending, self._pending_since = green, datetime.now(UTC)

        def shift(part: float) -> None:
            shares = ((green, part), (blue, 1.0 - part)) if blue is not None and part < 1 else ((green, 1.0),)
            self.traffic = Traffic(shares)
            self.count_instances()

        try:
            _start(green)
            rollout.run(shift, lambda names: self._in_alarm(green, names), clock, self._ended, began=began)
        except HostingError as error:
            self.traffic = Traffic(((blue, 1.0),) if blue is not None else ())
            self.count_instances()
            _close(green)
            return self._settle("InService", str(error))
        self.config = config
        if blue is not None:
            clock.wait(rollout.termination_wait_s, self._ended)
            _close(blue)
        return self._settle("InService")

    def resize(self, desired: Mapping[str, Json]) -> None:
        """Change variants' instance counts and weights: by variant name, as UpdateEndpointWeightsAndCapacities has it.

        If instances do not start, it goes back to what it was.
        """
        fleet = self.current()
        variants = [(each, desired[each.name]) for each in (fleet.variants if fleet else ()) if each.name in desired]
        before = [(variant, variant.desired, variant.weight) for variant, _ in variants]
        try:
            for variant, wanted in variants:
                variant.desired_weight = float(wanted.get("DesiredWeight", variant.weight))
                variant.resize(int(wanted.get("DesiredInstanceCount", variant.desired)))
                variant.weight = variant.desired_weight
        except HostingError as error:
            with self._changed:
                self.status = "RollingBack"
            for variant, count, weight in before:
                variant.weight = variant.desired_weight = weight
                variant.resize(min(count, max(variant.in_service, 1)))
            return self._settle("InService", str(error))
        return self._settle("InService")

    def delete(self) -> None:
        """End all fleets."""
        fleets = [fleet for fleet, _ in self.traffic.shares]
        self.traffic = Traffic(())
        for fleet in fleets:
            _close(fleet)
        self._capture.close()
        self._settle("Deleted")

    def _in_alarm(self, fleet: Fleet, names: Sequence[str]) -> list[str]:
        """Those of the alarms that are in ALARM, read with the rights of the new model's role."""
        variant = fleet.variants[0]
        client = variant.client("cloudwatch")
        states: dict[str, str] = {}
        try:
            for name in names:  # a call for each: IAM decides on each alarm's ARN
                found = client.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
                for each in found["MetricAlarms"] + found["CompositeAlarms"]:
                    states[each["AlarmName"]] = each["StateValue"]
        except (ClientError, BotoCoreError) as error:
            raise HostingError(f"The deployment's alarms could not be read as {variant.role_arn}: {error}") from error
        if missing := sorted(set(names) - set(states)):
            raise HostingError(f"The deployment's alarms do not exist: {', '.join(missing)}.")
        return [name for name, state in states.items() if state == "ALARM"]

    # -- DescribeEndpoint

    def description(self) -> Json:
        """DescribeEndpoint's response."""
        with self._changed:
            current, pending = self.current(), self._pending
            shown: Json = {
                "EndpointName": self.name,
                "EndpointArn": self.arn,
                "EndpointConfigName": self.config.get("EndpointConfigName", ""),
                "EndpointStatus": self.status,
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
            }
            if self.failure:
                shown["FailureReason"] = self.failure
            if self.deployment:
                shown["LastDeploymentConfig"] = self.deployment
        if current is not None:
            shown["ProductionVariants"] = [_summary(variant) for variant in current.variants]
        if capture := self.config.get("DataCaptureConfig"):
            shown["DataCaptureConfig"] = {
                "EnableCapture": capture.get("EnableCapture", False),
                "CaptureStatus": "Started" if capture.get("EnableCapture") else "Stopped",
                "CurrentSamplingPercentage": capture.get("InitialSamplingPercentage", 0),
                "DestinationS3Uri": capture.get("DestinationS3Uri", ""),
                "KmsKeyId": capture.get("KmsKeyId") or "",
            }
        if pending is not None:
            shown["PendingDeploymentSummary"] = {
                "EndpointConfigName": pending.config_name,
                "ProductionVariants": [_pending_summary(variant) for variant in pending.variants],
                "StartTime": self._pending_since,
            }
        return shown


def _start(fleet: Fleet) -> None:
    for variant in fleet.variants:
        variant.start()


def _close(fleet: Fleet) -> None:
    for variant in fleet.variants:
        variant.close()


def _images(variant: VariantFleet) -> list[Json]:
    times = {"ResolutionTime": variant.resolved_at}
    return [{"SpecifiedImage": variant.image, "ResolvedImage": variant.image, **times}]


def _summary(variant: VariantFleet) -> Json:
    return {
        "VariantName": variant.name,
        "DeployedImages": _images(variant),
        "CurrentWeight": variant.weight,
        "DesiredWeight": variant.desired_weight,
        "CurrentInstanceCount": variant.in_service,
        "DesiredInstanceCount": variant.desired,
    }


def _pending_summary(variant: VariantFleet) -> Json:
    status = {"Status": "Baking" if variant.in_service else "Creating", "StartTime": variant.resolved_at}
    return {**_summary(variant), "VariantStatus": [status]}
