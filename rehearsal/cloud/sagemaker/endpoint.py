"""One endpoint: its status, its fleets and its traffic, as CreateEndpoint and UpdateEndpoint change them.

Sources: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.capture import Capture, Exchange
from rehearsal.cloud.sagemaker.endpoint_description import data_capture, pending_deployment, variants
from rehearsal.cloud.sagemaker.events import ENDPOINT_DEPLOYMENT, ENDPOINT_STATE, announce, of_endpoint
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.fleet import VariantFleet
from rehearsal.cloud.sagemaker.hosting import Hosting
from rehearsal.cloud.sagemaker.rollout import Rollout
from rehearsal.cloud.sagemaker.routing import Fleet, Traffic
from rehearsal.cloud.sagemaker.usage import Usages

logger = logging.getLogger(__name__)

SERVING = ("InService", "Updating", "SystemUpdating", "RollingBack")
"""The statuses in which an endpoint answers requests."""
IN_TRANSITION = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


class Endpoint:
    """An endpoint. models: of a name, as DescribeModel returns it."""

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
            self.status, self.failure = status, ""
            self.modified = datetime.now(UTC)
            return True

    def _set(self, status: str, failure: str = "") -> None:
        with self._changed:
            if status not in IN_TRANSITION:
                self._pending = None
            self.status, self.failure = status, failure
            self.modified = datetime.now(UTC)
            self._changed.notify_all()
        self.announce(ENDPOINT_STATE)

    def announce(self, kind: str) -> None:
        """Send an event of a change."""
        announce(self._hosting.engine, kind, self.arn, of_endpoint(self.description()))

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
            self._capture.add(config, lambda: variant.role.client("s3"), exchange)

    def publish_metrics(self) -> None:
        """Publish what the instances use."""
        for fleet, _ in self.traffic.shares:
            for variant in fleet.variants:
                variant.publish_metrics()

    def description(self) -> Json:
        """DescribeEndpoint's response."""
        with self._changed:
            shown = {
                "EndpointName": self.name,
                "EndpointArn": self.arn,
                "EndpointConfigName": self.config.get("EndpointConfigName", ""),
                "EndpointStatus": self.status,
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
                "FailureReason": self.failure,
                "LastDeploymentConfig": self.deployment,
            }
            pending, since = self._pending, self._pending_since
        shown["ProductionVariants"] = variants(self.current())
        shown["DataCaptureConfig"] = data_capture(self.config)
        shown["PendingDeploymentSummary"] = pending_deployment(pending, since)
        return {key: value for key, value in shown.items() if value}

    # -- changes, each in a thread of its own

    def create(self, config: Json, fleet: Fleet) -> None:
        """Start the first fleet."""
        self._pending, self._pending_since = fleet, self.created
        self.config = config
        self.announce(ENDPOINT_STATE)
        try:
            _start(fleet)
        except Exception as error:
            _close(fleet)
            return self._set("Failed", _reason(error))
        self.traffic = Traffic(((fleet, 1.0),))
        self.count_instances()
        return self._set("InService")

    def update(self, config: Json, green: Fleet, rollout: Rollout) -> None:
        """Blue/green: start a new fleet, shift the traffic to it, and end the old one; or go back to the old one."""
        blue = self.current()
        clock = self._hosting.clock
        began = clock.now()
        self._pending, self._pending_since = green, datetime.now(UTC)
        self.announce(ENDPOINT_STATE)

        def shift(part: float) -> None:
            shares = ((green, part), (blue, 1.0 - part)) if blue is not None and part < 1 else ((green, 1.0),)
            self.traffic = Traffic(shares)
            self.count_instances()
            self.announce(ENDPOINT_DEPLOYMENT)

        try:
            _start(green)
            rollout.run(shift, lambda names: self._in_alarm(green, names), clock, began=began)
        except Exception as error:
            self.traffic = Traffic(((blue, 1.0),) if blue is not None else ())
            self.count_instances()
            self._set("RollingBack")
            _close(green)
            return self._set("InService", _reason(error))
        self.config = config
        if blue is not None:
            clock.sleep(rollout.termination_wait_s)
            _close(blue)
        self._usages.keep(self.name, [variant.name for variant in green.variants])
        return self._set("InService")

    def resize(self, desired: Mapping[str, Json]) -> None:
        """Change variants' instance counts and weights: by variant name, as UpdateEndpointWeightsAndCapacities has it.

        If instances do not start, it goes back to what it was.
        """
        self.announce(ENDPOINT_STATE)
        fleet = self.current()
        changed = [(each, desired[each.name]) for each in (fleet.variants if fleet else ()) if each.name in desired]
        before = [(variant, variant.desired, variant.weight) for variant, _ in changed]
        try:
            for variant, wanted in changed:
                variant.desired_weight = float(wanted.get("DesiredWeight", variant.weight))
                variant.resize(int(wanted.get("DesiredInstanceCount", variant.desired)))
                variant.weight = variant.desired_weight
        except Exception as error:
            self._set("RollingBack")
            for variant, count, weight in before:
                variant.weight = variant.desired_weight = weight
                try:
                    variant.resize(count)
                except Exception:  # it keeps the instances that it has
                    logger.exception("the instances of variant %s", variant.name)
            return self._set("InService", _reason(error))
        return self._set("InService")

    def delete(self, forget: Callable[[], None]) -> None:
        """End all fleets. forget: called before the status is Deleted, so that its name is free for who waits."""
        fleets = [fleet for fleet, _ in self.traffic.shares]
        self.traffic = Traffic(())
        for fleet in fleets:
            _close(fleet)
        self._capture.close()
        forget()
        self._set("Deleted")

    def _in_alarm(self, fleet: Fleet, names: Sequence[str]) -> list[str]:
        """Those of the alarms that are in ALARM, read with the rights of the new model's role."""
        variant = fleet.variants[0]
        client = variant.role.client("cloudwatch")
        states: dict[str, str] = {}
        try:
            for name in names:  # a call for each: IAM decides on each alarm's ARN
                found = client.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
                for each in found["MetricAlarms"] + found["CompositeAlarms"]:
                    states[each["AlarmName"]] = each["StateValue"]
        except (ClientError, BotoCoreError) as error:
            raise HostingError(f"The deployment's alarms could not be read as {variant.role.arn}: {error}") from error
        if missing := sorted(set(names) - set(states)):
            raise HostingError(f"The deployment's alarms do not exist: {', '.join(missing)}.")
        return [name for name, state in states.items() if state == "ALARM"]


def _reason(error: Exception) -> str:
    """The FailureReason."""
    if isinstance(error, HostingError):
        return str(error)
    logger.error("an endpoint", exc_info=error)
    return f"The local AWS failed: {error!r}. Its log has the traceback."


def _start(fleet: Fleet) -> None:
    for variant in fleet.variants:
        variant.start()


def _close(fleet: Fleet) -> None:
    """End a fleet. A failure is logged: the endpoint goes on without this fleet, whatever is left of it."""
    for variant in fleet.variants:
        try:
            variant.close()
        except Exception:
            logger.exception("the end of variant %s", variant.name)
