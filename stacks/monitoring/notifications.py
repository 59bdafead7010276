"""Notifications of events that no metric shows: a failed job, a rolled-back rollout, an alarm of another stack."""

from collections.abc import Mapping

from aws_cdk import aws_events as events
from constructs import Construct

from stacks.common.runbook import with_runbook_link
from stacks.common.telemetry import FunctionTelemetry
from stacks.monitoring.alert_topic import AlertTopic

ROLLED_BACK = ("ROLLING_BACK", "UPDATE_ROLLBACK_FAILED", "FAILED", "OUT_OF_SERVICE")


class EventNotifications(Construct):
    """EventBridge rules that each send one sentence to the alert topic.

    The alarms of other stacks are matched by name: CloudFormation's generated names start with the stack's. An alarm
    action instead would make those stacks depend on this one.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        alerts: AlertTopic,
        telemetry: FunctionTelemetry,
        job_prefix: str,
        endpoint_name: str,
        checks_drift: bool,
        alarm_prefixes: list[str],
    ) -> None:
        super().__init__(scope, id)
        self._alerts = alerts
        self._telemetry = telemetry
        self._rule(
            "TrainingFailed",
            description=with_runbook_link("A training job failed or was stopped.", "A training job failed"),
            source="aws.sagemaker",
            detail_types=["SageMaker Training Job State Change"],
            detail={"TrainingJobName": [{"prefix": job_prefix}], "TrainingJobStatus": ["Failed", "Stopped"]},
            message="Training job <job> is <status>: <why>",
            paths={
                "job": "$.detail.TrainingJobName",
                "status": "$.detail.TrainingJobStatus",
                "why": "$.detail.FailureReason",
            },
        )
        if checks_drift:
            self._drift_check_failed(job_prefix)
        self._rule(
            "RolledBack",
            description=with_runbook_link(
                "An update of the endpoint failed or was rolled back.", "A rollout was rolled back"
            ),
            source="aws.sagemaker",
            detail_types=["SageMaker Endpoint State Change", "SageMaker Endpoint Deployment State Change"],
            detail={"EndpointName": [endpoint_name], "EndpointStatus": list(ROLLED_BACK)},
            message="Endpoint <endpoint> is <status>",
            paths={"endpoint": "$.detail.EndpointName", "status": "$.detail.EndpointStatus"},
        )
        self._rule(
            "AlarmOfAnotherStack",
            description=with_runbook_link(
                "An alarm of another stack went off; its description links to its own runbook entry.",
                "An alarm of another stack went off",
            ),
            source="aws.cloudwatch",
            detail_types=["CloudWatch Alarm State Change"],
            detail={
                "alarmName": [{"prefix": prefix} for prefix in alarm_prefixes],
                "state": {"value": ["ALARM"]},
            },
            message="Alarm <alarm>: <text> <why>",
            paths={
                "alarm": "$.detail.alarmName",
                "text": "$.detail.configuration.description",
                "why": "$.detail.state.reason",
            },
        )

    def _drift_check_failed(self, job_prefix: str) -> None:
        self._rule(
            "DriftCheckFailed",
            description=with_runbook_link("The daily drift check failed or was stopped.", "The drift check failed"),
            source="aws.sagemaker",
            detail_types=["SageMaker Processing Job State Change"],
            detail={
                "ProcessingJobName": [{"prefix": f"{job_prefix}drift-"}],
                "ProcessingJobStatus": ["Failed", "Stopped"],
            },
            message="Drift check <job> is <status>: <why>",
            paths={
                "job": "$.detail.ProcessingJobName",
                "status": "$.detail.ProcessingJobStatus",
                "why": "$.detail.FailureReason",
            },
        )

    def _rule(
        self,
        id: str,
        *,
        description: str,
        source: str,
        detail_types: list[str],
        detail: Mapping[str, object],
        message: str,
        paths: Mapping[str, str],
    ) -> None:
        rule = events.CfnRule(
            self,
            id,
            description=description,
            event_pattern={"source": [source], "detail-type": detail_types, "detail": dict(detail)},
            targets=[
                events.CfnRule.TargetProperty(
                    id="Alerts",
                    arn=self._alerts.topic.topic_arn,
                    # what EventBridge could not deliver within a day of retries
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self._telemetry.queue_arn),
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map=dict(paths),
                        # in quotes: EventBridge accepts plain text only as a JSON string
                        input_template=f'"{message}. See {description.rpartition(" ")[2]}"',
                    ),
                )
            ],
        )
        rule.node.add_dependency(self._alerts)
