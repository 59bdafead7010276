"""The development environment, deployed to an account of moto by its own CloudFormation, and ways to break it."""

import contextlib
import functools
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from typer.testing import CliRunner, Result

from ops.cli import app
from tests.preflight.account import ACCOUNT, Account, Json
from tests.preflight.ready import client

REGION = "us-east-1"
"""It has a price table."""
ENDPOINT = "pytorch-dog-classifier-multi-instance"
JOB = "kennel-development-5ba1f8422ee6ee3c0b5a"
ENDPOINT_LOG = f"/aws/sagemaker/Endpoints/{ENDPOINT}"
TRAINING_LOG = "/aws/sagemaker/TrainingJobs"
DRIFT_LOG = "/aws/sagemaker/ProcessingJobs"
FUNCTION_LOG = "kennel-api-Logs6819BB44-1"
GOLDEN = Path(__file__).parents[1] / "infra" / "golden" / "development"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/kennel"
CONFIG = "config-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
ALARMS = {
    "kennel-monitoring-AlarmsFunctionFails0E15A37D-1": "The function failed. docs/runbook.md#the-function-fails",
    "kennel-serving-AlarmsServerErrorsD0E4A1EF-1": "Errors. docs/runbook.md#the-endpoint-answers-with-server-errors",
}
Listed = tuple[str, str, str]
"""Logical id, type and physical id of a resource."""


def kennel(*words: str) -> Result:
    """A command, as in a shell. Raises what `main` would print as one sentence."""
    return CliRunner().invoke(app, words, catch_exceptions=False, env={"COLUMNS": "200"})


def flat(printed: str) -> str:
    """What was printed, as one line: a table breaks lines."""
    return " ".join(printed.split())


@functools.cache
def golden(kind: str) -> Json:
    """The template of a stack, such as `serving`."""
    found: Json = json.loads((GOLDEN / f"{kind.title()}.json").read_text(encoding="utf-8"))
    return found


class Deployment:
    """What `make deploy` made."""

    def __init__(self, account: Account) -> None:
        self.account = account
        alarm = "AWS::CloudWatch::Alarm"
        functions, errors = ALARMS
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/{CONFIG}"
        self.listed: dict[str, list[Listed]] = {
            "monitoring": [("AlarmsFunctionFails0E15A37D", alarm, functions)],
            "training": [],
            "serving": [
                ("AlarmsServerErrorsD0E4A1EF", alarm, errors),
                ("EndpointConfig", "AWS::SageMaker::EndpointConfig", arn),
            ],
            "api": [],
        }

    @classmethod
    def of(cls, account: Account) -> Self:
        """Monitoring, Training, Serving and Api, a completed job, and an hour's logs."""
        made = cls(account)
        made._resources()
        for kind in made.listed:
            made._stack(kind, {"EndpointName": ENDPOINT} if kind == "serving" else {})
        account.answer("cloudformation.ListStackResources", made._list)
        account.answer("cloudformation.GetTemplate", made._template)
        configuration = {"FunctionName": "kennel-api", "LoggingConfig": {"LogGroup": FUNCTION_LOG}}
        account.answer("lambda.GetFunctionConfiguration", configuration)
        account.answer("application-autoscaling.DescribeScalingActivities", {"ScalingActivities": []})
        made.job()
        made.log(TRAINING_LOG, f"{JOB}/algo-1-1790000000", "stage=start", "stage=end")
        made.log(ENDPOINT_LOG, "AllTraffic/i-1", json.dumps({"event": "answered", "status": 200}))
        made.log(FUNCTION_LOG, "2026/1", json.dumps({"request_id": "r", "status": 200}))
        return made

    def client(self, service: str) -> Any:
        return client(self.account, service, REGION)

    def _resources(self) -> None:
        """What CloudFormation would have made: moto's makes neither alarms nor usable endpoints."""
        sagemaker, cloudwatch = self.client("sagemaker"), self.client("cloudwatch")
        container = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}
        sagemaker.create_model(ModelName=CONFIG, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        variant = {"VariantName": "AllTraffic", "ModelName": CONFIG, "InitialVariantWeight": 1}
        instances = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=CONFIG, ProductionVariants=[{**variant, **instances}])
        sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=CONFIG)
        copied = ("ComparisonOperator", "EvaluationPeriods", "MetricName", "Namespace", "Period", "Threshold")
        for name, text in ALARMS.items():
            _, kind, logical_id, _ = name.split("-")
            declared = golden(kind)["Resources"][logical_id]["Properties"]
            actions = [TOPIC for _ in declared.get("AlarmActions", [])]
            properties = {key: declared[key] for key in copied}
            cloudwatch.put_metric_alarm(
                AlarmName=name, AlarmDescription=text, AlarmActions=actions, Statistic="Sum", **properties
            )

    def _stack(self, kind: str, outputs: Mapping[str, str]) -> None:
        """A stack with a resource that moto makes, and the template of the real one."""
        parameter = {"Name": kind, "Type": "String", "Value": kind}
        template = {
            "Resources": {"Name": {"Type": "AWS::SSM::Parameter", "Properties": parameter}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        self.client("cloudformation").create_stack(StackName=f"kennel-{kind}", TemplateBody=json.dumps(template))

    def _template(self, call: Json) -> Json:
        return {"TemplateBody": json.dumps(golden(call["StackName"].removeprefix("kennel-")))}

    def _list(self, call: Json) -> Json:
        summary = {"LastUpdatedTimestamp": datetime.now(UTC), "ResourceStatus": "CREATE_COMPLETE"}
        listed = self.listed[call["StackName"].removeprefix("kennel-")]
        return {
            "StackResourceSummaries": [
                {**summary, "LogicalResourceId": each[0], "ResourceType": each[1], "PhysicalResourceId": each[2]}
                for each in listed
            ]
        }

    def log(self, group: str, stream: str, *messages: str, at: float | None = None) -> None:
        """Write lines into a stream, which is made if there is none. at: seconds since 1970; now by default."""
        logs = self.client("logs")
        for call, names in (
            (logs.create_log_group, {"logGroupName": group}),
            (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
        ):
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
                call(**names)
        written = int((at or time.time()) * 1000)
        events = [{"timestamp": written + number, "message": message} for number, message in enumerate(messages)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def job(self, status: str = "Completed", **fields: Any) -> None:
        """The newest training job, begun three minutes ago."""
        begun = datetime.now(UTC) - timedelta(minutes=3)
        summary = {"TrainingJobName": JOB, "CreationTime": begun, "TrainingJobStatus": status}
        others = {**summary, "TrainingJobName": "kennel-developmental-1"}
        self.account.answer("sagemaker.ListTrainingJobs", {"TrainingJobSummaries": [others, summary]})
        metrics = [{"MetricName": "test:served_accuracy", "Value": 0.65, "Timestamp": begun}]
        found = {
            **summary,
            "SecondaryStatus": status,
            "LastModifiedTime": begun + timedelta(minutes=2),
            "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 50},
            "FinalMetricDataList": metrics if status == "Completed" else [],
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://bucket/{JOB}/model.tar.gz"},
            **fields,
        }
        self.account.answer("sagemaker.DescribeTrainingJob", found)

    def drift_check(self, status: str, **fields: Any) -> str:
        """The daily check is on, and its newest job, begun a minute ago, has this status. Returns the job's name."""
        name = "kennel-development-drift-2026-11-27"
        self.listed["serving"].append(("DriftSchedule1A2B3C4D", "AWS::Scheduler::Schedule", "drift"))
        job = {
            "ProcessingJobName": name,
            "ProcessingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/{name}",
            "ProcessingJobStatus": status,
            "CreationTime": datetime.now(UTC) - timedelta(minutes=1),
        }
        other = {**job, "ProcessingJobName": f"other-{name}"}
        self.account.answer("sagemaker.ListProcessingJobs", {"ProcessingJobSummaries": [other, job]})
        self.account.answer("sagemaker.DescribeProcessingJob", {**job, **fields})
        return name

    def endpoint(self, **fields: Any) -> None:
        """Change what SageMaker says about the endpoint."""
        found = self.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)
        found.pop("ResponseMetadata")
        self.account.answer("sagemaker.DescribeEndpoint", {**found, **fields})

    def delete_endpoint(self) -> None:
        """Outside the deploy: its stack lists it still."""
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{ENDPOINT}"
        self.listed["serving"].append(("Endpoint", "AWS::SageMaker::Endpoint", arn))
        self.client("sagemaker").delete_endpoint(EndpointName=ENDPOINT)

    def ring(self, reason: str = "Threshold Crossed") -> str:
        """Put the alarm of the monitoring stack into ALARM. Returns its name."""
        name = next(iter(ALARMS))
        self.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=reason)
        return name

    def failed(self, kind: str, status: str, *events: Json) -> None:
        """Give a stack a state and the events of its last operation, the oldest one first."""
        name = f"kennel-{kind}"
        found = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        self.account.answer(
            "cloudformation.DescribeStacks",
            lambda call: {"Stacks": [{**found, "StackStatus": status}]} if call["StackName"] == name else None,
        )
        begun = datetime.now(UTC) - timedelta(minutes=1)
        whole = [
            {
                "EventId": f"{name}-{number}",
                "StackId": found["StackId"],
                "StackName": name,
                "Timestamp": begun + timedelta(seconds=number),
                "LogicalResourceId": name,
                "PhysicalResourceId": found["StackId"],
                "ResourceType": "AWS::CloudFormation::Stack",
                **event,
            }
            for number, event in enumerate([{"ResourceStatus": "UPDATE_IN_PROGRESS"}, *events])
        ]
        self.account.answer(
            "cloudformation.DescribeStackEvents",
            lambda call: {"StackEvents": whole[::-1] if call["StackName"] == found["StackId"] else []},
        )


def event(id: str, type: str, status: str, reason: str) -> Json:
    """An event of a resource."""
    return {
        "LogicalResourceId": id,
        "PhysicalResourceId": f"physical-{id}",
        "ResourceType": type,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }
