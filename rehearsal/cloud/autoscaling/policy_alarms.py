"""The CloudWatch alarms of target tracking policies, as Application Auto Scaling creates, moves and deletes them.

The scaler evaluates them, once in each minute of the clock, and sets their states here. rehearsal/cloud/alarms.py
evaluates the other ones.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from rehearsal.cloud.api import Engine, Json
from rehearsal.cloud.autoscaling.alarm import Alarm, Points, State
from rehearsal.cloud.autoscaling.target import Policy
from rehearsal.cloud.autoscaling.variants import Variant


class PolicyAlarms(Protocol):
    """What becomes of the alarms."""

    def put(self, variant: Variant, policy: Policy) -> None:
        """A policy is new or has another configuration."""
        ...

    def set_states(self, policy: Policy, points: Points) -> None:
        """A minute has ended. points: the policy's metric."""
        ...

    def delete(self, policies: Iterable[Policy]) -> None:
        """The policies are gone."""
        ...


class CloudWatchAlarms:
    """See `PolicyAlarms`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client: Any = None
        self._states: dict[str, State] = {}

    def put(self, variant: Variant, policy: Policy) -> None:
        """See `PolicyAlarms`."""
        for name, alarm in _alarms(policy).items():
            self._cloudwatch.put_metric_alarm(**_declared(name, alarm, variant, policy))
        if not policy.tracking.scale_in:
            self._delete(policy.alarms[1:])

    def set_states(self, policy: Policy, points: Points) -> None:
        """See `PolicyAlarms`."""
        for name, alarm in _alarms(policy).items():
            state = alarm.state(points)
            if self._states.get(name) != state:
                self._states[name] = state
                than = f"{'greater' if alarm.above else 'less'} than the threshold ({alarm.threshold})"
                reason = f"The newest datapoints are {alarm.evaluated(points)}; {state} for values {than}."
                self._cloudwatch.set_alarm_state(AlarmName=name, StateValue=state.value, StateReason=reason)

    def delete(self, policies: Iterable[Policy]) -> None:
        """See `PolicyAlarms`."""
        self._delete([name for policy in policies for name in policy.alarms])

    def _delete(self, names: Iterable[str]) -> None:
        known = list(names)
        for name in known:
            self._states.pop(name, None)
        if known:
            self._cloudwatch.delete_alarms(AlarmNames=known)

    @property
    def _cloudwatch(self) -> Any:
        if self._client is None:
            self._client = self._engine.service_client("cloudwatch")
        return self._client


def _alarms(policy: Policy) -> Mapping[str, Alarm]:
    tracking = policy.tracking
    high, low = policy.alarms
    return {high: tracking.high, low: tracking.low} if tracking.scale_in else {high: tracking.high}


def _declared(name: str, alarm: Alarm, variant: Variant, policy: Policy) -> Json:
    return {
        "AlarmName": name,
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
        "AlarmActions": [policy.arn],
        "Namespace": "AWS/SageMaker",
        "MetricName": "InvocationsPerInstance",
        "Dimensions": [
            {"Name": "EndpointName", "Value": variant.endpoint},
            {"Name": "VariantName", "Value": variant.name},
        ],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": alarm.points,
        "Threshold": alarm.threshold,
        "ComparisonOperator": "GreaterThanThreshold" if alarm.above else "LessThanThreshold",
    }
