"""The order in which `cdk deploy --all` creates the stacks: alerts and budget first, the workbench last."""

import json
from graphlib import TopologicalSorter
from typing import Any

import pytest

import environments
from environments.environment import STACKS
from ops.preflight.target import with_needed
from tests.infra.conftest import Assembly, Synthesise
from tests.infra.monitoring import alarms, rules

ALERTS = ("Monitoring", "Budget")
ALERT_TYPES = {
    "AWS::Budgets::Budget",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::KMS::Key",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
}
"""What the alerts themselves consist of. Alarms and the key cost less than two dollars a month together."""

VARIANTS: dict[str, tuple[tuple[str, object], ...]] = {
    "defaults": (),
    "no budget": (("monitoring.monthly_budget_usd", 0),),
    "alerts by mail": (("monitoring.email", "team@example.org"),),
    "an artifact that exists": (("training.model_data", "s3://models/dogs/model.tar.gz"),),
    "no workbench": (("workbench.host", "false"), ("workbench.notebook", "false")),
}


def waits_for(assembly: Assembly) -> dict[str, set[str]]:
    """Each stack, with every stack that CDK deploys before it, from the manifest of the cloud assembly."""
    artifacts: dict[str, Any] = json.loads((assembly.folder / "manifest.json").read_text())["artifacts"]
    direct = {
        name: {other for other in artifact["dependencies"] if other in assembly.names}
        for name, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    assert sorted(direct) == assembly.names
    before: dict[str, set[str]] = {}
    for stack in TopologicalSorter(direct).static_order():
        before[stack] = direct[stack].union(*(before[other] for other in direct[stack]))
    return before


@pytest.fixture(params=VARIANTS)
def assembly(request: pytest.FixtureRequest, synthesise: Synthesise) -> Assembly:
    return synthesise(*VARIANTS[request.param])


def test_whatever_is_billed_waits_for_the_topic_the_alarms_and_the_budget(assembly: Assembly) -> None:
    before = waits_for(assembly)
    assert {stack for stack, earlier in before.items() if not earlier >= set(ALERTS)} == set(ALERTS)
    assert kinds(assembly, *ALERTS) <= ALERT_TYPES
    assert {"AWS::SNS::Topic", "AWS::CloudWatch::Alarm"} <= kinds(assembly, "Monitoring")


def kinds(assembly: Assembly, *stacks: str) -> set[str]:
    """The types of the resources in these stacks."""
    return {resource["Type"] for stack, _, resource in assembly.resources("*") if stack in stacks}


def test_where_aws_refuses_a_budget_the_topic_and_the_alarms_exist_already(assembly: Assembly) -> None:
    before = waits_for(assembly)
    assert before["Monitoring"] == set()
    assert before["Budget"] == {"Monitoring"}
    assert kinds(assembly, "Budget") < {"AWS::Budgets::Budget", "AWS::CloudFormation::WaitConditionHandle"}


def test_the_workbench_comes_last_and_no_stack_waits_for_it(assembly: Assembly) -> None:
    """CDK deploys nothing more after a stack that failed."""
    before = waits_for(assembly)
    last = before.pop("Workbench")
    assert last == set(before)
    assert all("Workbench" not in earlier for earlier in before.values())


def test_the_names_of_the_stacks_are_listed_in_the_order_of_their_deployment(assembly: Assembly) -> None:
    before = waits_for(assembly)
    order = [kind.capitalize() for kind in STACKS]
    assert sorted(order) == assembly.names
    for place, stack in enumerate(order):
        assert before[stack] <= set(order[:place]), stack


def test_preflight_checks_the_stacks_that_cdk_deploys_before_the_named_one(assembly: Assembly) -> None:
    for stack, earlier in waits_for(assembly).items():
        more = with_needed([stack]) - {kind.lower() for kind in {stack, *earlier}}
        assert with_needed([stack]) >= {kind.lower() for kind in {stack, *earlier}}, stack
        assert more <= {"training"}, stack  # an artifact that exists makes Serving independent of Training


@pytest.mark.parametrize("environment", ["development", "production"])
def test_monitoring_names_what_it_watches_literally(request: pytest.FixtureRequest, environment: str) -> None:
    """A reference to a stack that does not exist yet would fail."""
    assembly: Assembly = request.getfixturevalue(environment)
    text = json.dumps(assembly.raw("Monitoring"))
    assert "Fn::GetStackOutput" not in text
    assert "Fn::ImportValue" not in text
    (function,) = [
        resource["Properties"]["FunctionName"]
        for stack, _, resource in assembly.resources("AWS::Lambda::Function")
        if stack == "Api"
    ]
    assert function == environments.load(environment).function_name
    watched = {
        (dimension["Name"], json.dumps(dimension["Value"]))
        for stack, _, alarm in alarms(assembly)
        if stack == "Monitoring"
        for dimension in alarm["Dimensions"]
    }
    ((_, queue, _),) = assembly.resources("AWS::SQS::Queue")
    endpoint = assembly.only("AWS::SageMaker::Endpoint")["EndpointName"]
    (variant,) = assembly.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    (alias,) = [alias["Properties"]["Name"] for _, _, alias in assembly.resources("AWS::Lambda::Alias")]
    assert watched == {
        ("FunctionName", json.dumps(function)),
        ("Resource", json.dumps(f"{function}:{alias}")),
        ("EndpointName", json.dumps(endpoint)),
        ("VariantName", json.dumps(variant["VariantName"])),
        ("QueueName", json.dumps({"Fn::GetAtt": [queue, "QueueName"]})),
    }


def test_no_alarm_goes_off_or_sends_mail_while_what_it_watches_does_not_exist(development: Assembly) -> None:
    """A metric without data is then below every threshold, and the change to OK has no action."""
    watching = {
        logical_id: alarm for stack, logical_id, alarm in alarms(development) if stack in ("Monitoring", "Serving")
    }
    assert len(watching) > 8
    for logical_id, alarm in watching.items():
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold", logical_id
        assert alarm["TreatMissingData"] == "notBreaching", logical_id
        assert not alarm.keys() & {"OKActions", "InsufficientDataActions"}, logical_id
    event = rules(development)["AlarmOfAnotherStack"]["EventPattern"]["detail"]
    assert event["state"] == {"value": ["ALARM"]}
