"""What no metric tells: a job that failed, a rollout that was taken back, an alarm of another stack."""

from collections.abc import Mapping

from aws_cdk import aws_events as events
from constructs import Construct

from stacks.common.runbook import with_runbook_link
from stacks.common.telemetry import FunctionTelemetry
from stacks.monitoring.alert_topic import AlertTopic

ROLLED_BACK = ("ROLLING_BACK", "UPDATE_ROLLBACK_FAILED", "FAILED", "OUT_OF_SERVICE")


class Notices(Construct):
    """Rules on AWS's own events, each a sentence to the topic.

    Alarms of the other stacks arrive here by the name that CloudFormation gives them, which starts with their stack's:
    an action on the alarm itself would make those stacks wait for this one.
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
        alarm_prefixes: list[str],
    ) -> None:
        super().__init__(scope, id)
        self._alerts = alerts
        self._telemetry = telemetry
        self._rule(
            "TrainingFailed",
            description=with_runbook_link("A training job failed or was stopped.", "A training job failed"),
            source="aws.sagemaker",
            kinds=["SageMaker Training Job State Change"],
            detail={"TrainingJobName": [{"prefix": job_prefix}], "TrainingJobStatus": ["Failed", "Stopped"]},
            says="Training job <job> is <status>: <why>",
            where={
                "job": "$.detail.TrainingJobName",
                "status": "$.detail.TrainingJobStatus",
                "why": "$.detail.FailureReason",
            },
        )
        self._rule(
            "RolledBack",
            description=with_runbook_link(
                "An update of the endpoint failed or was taken back.", "A rollout was rolled back"
            ),
            source="aws.sagemaker",
            kinds=["SageMaker Endpoint State Change", "SageMaker Endpoint Deployment State Change"],
            detail={"EndpointName": [endpoint_name], "EndpointStatus": list(ROLLED_BACK)},
            says="Endpoint <endpoint> is <status>",
            where={"endpoint": "$.detail.EndpointName", "status": "$.detail.EndpointStatus"},
        )
        self._rule(
            "AlarmOfAnotherStack",
            description=with_runbook_link(
                "An alarm of another stack of ours rang; its text has its own entry.", "An alarm rang"
            ),
            source="aws.cloudwatch",
            kinds=["CloudWatch Alarm State Change"],
            detail={
                "alarmName": [{"prefix": prefix} for prefix in alarm_prefixes],
                "state": {"value": ["ALARM"]},
            },
            says="Alarm <alarm>: <text> <why>",
            where={
                "alarm": "$.detail.alarmName",
                "text": "$.detail.configuration.description",
                "why": "$.detail.state.reason",
            },
        )

    def _rule(
        self,
        id: str,
        *,
        description: str,
        source: str,
        kinds: list[str],
        detail: Mapping[str, object],
        says: str,
        where: Mapping[str, str],
    ) -> None:
        rule = events.CfnRule(
            self,
            id,
            description=description,
            event_pattern={"source": [source], "detail-type": kinds, "detail": dict(detail)},
            targets=[
                events.CfnRule.TargetProperty(
                    id="Alerts",
                    arn=self._alerts.topic.topic_arn,
                    # what could not be told, after EventBridge's day of trying
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self._telemetry.queue_arn),
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map=dict(where),
                        # quoted: EventBridge takes a line of text only as a JSON string
                        input_template=f'"{says}. See {description.rpartition(" ")[2]}"',
                    ),
                )
            ],
        )
        rule.node.add_dependency(self._alerts)
