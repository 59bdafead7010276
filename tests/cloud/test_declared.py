"""Each type of resource of Kennel's templates can be deployed, and what nothing acts on is listed with a reason."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ops.cost.verdicts import VERDICTS
from rehearsal.cloud.declared import NOT_EXAMINED, PARTS, RECORDED, REHEARSED, declared, of_templates
from rehearsal.cloud.records import ATTRIBUTES
from tests.cloud.conftest import Client

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = sorted((ROOT / "tests" / "infra" / "golden").glob("*/*.json"))
TYPES = {name for name in VERDICTS if name.startswith("AWS::")}
"""Every type that some settings bring into a template: each has a verdict of `kennel cost`."""


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_each_type_of_a_golden_template_can_be_deployed(file: Path, client: Client) -> None:
    """ValidateTemplate names the types that it does not recognise, as a deploy would."""
    types = {resource["Type"] for resource in json.loads(file.read_text())["Resources"].values()}
    client("cloudformation").validate_template(TemplateBody=empty(types))


def test_each_type_that_some_settings_add_can_be_deployed(client: Client) -> None:
    client("cloudformation").validate_template(TemplateBody=empty(TYPES))


def test_a_type_that_no_code_handles_is_refused(client: Client) -> None:
    cloudformation = client("cloudformation")
    with pytest.raises(cloudformation.exceptions.ClientError, match=r"Unrecognized resource types: \[AWS::No::Type\]"):
        cloudformation.validate_template(TemplateBody=empty({"AWS::No::Type"}))


def empty(types: set[str]) -> str:
    return json.dumps({"Resources": {re.sub(r"\W", "", name): {"Type": name} for name in types}})


def test_each_type_of_kennel_is_rehearsed_or_recorded_with_a_reason() -> None:
    assert TYPES - RECORDED.keys() - REHEARSED == set()
    assert RECORDED.keys() & REHEARSED == set()


def test_each_record_has_a_reason() -> None:
    assert ATTRIBUTES.keys() <= RECORDED.keys()
    assert all(RECORDED.values())


def test_parts_are_properties_of_rehearsed_types() -> None:
    assert {kind for kind, _ in PARTS} <= REHEARSED


@pytest.mark.parametrize("name", ["development", "production"])
def test_what_the_templates_only_declare_is_listed_by_stack_and_logical_id(name: str) -> None:
    templates: dict[str, Any] = {file.stem: json.loads(file.read_text()) for file in GOLDEN if file.parent.name == name}
    found = {line.type: line for line in of_templates(templates)}

    keys = [key for key, resource in templates["Storage"]["Resources"].items() if resource["Type"] == "AWS::KMS::Key"]
    assert found["AWS::EC2::Instance"].reason == "no machine starts"
    assert "AWS::Lambda::Function" not in found
    assert "AWS::Logs::LogGroup.RetentionInDays" in found
    assert not any(line.reason == NOT_EXAMINED for line in found.values())
    assert all(f"Storage/{key}" in found["AWS::KMS::Key"].resources for key in keys)


def test_a_type_that_was_not_examined_says_so() -> None:
    [line] = of_templates({"Shop": {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table"}}}})

    assert (line.type, line.reason, line.resources) == ("AWS::DynamoDB::Table", NOT_EXAMINED, ("Shop/Table",))


@pytest.mark.parametrize(("protocol", "recorded"), [("email", True), ("sms", True), ("lambda", False), ("sqs", False)])
def test_a_subscription_is_a_record_unless_a_function_or_a_queue_gets_its_messages(
    protocol: str, recorded: bool
) -> None:
    subscription = {"Protocol": protocol, "Endpoint": "any"}
    template = {
        "Resources": {
            "Own": {"Type": "AWS::SNS::Subscription", "Properties": {"TopicArn": "any", **subscription}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"Subscription": [subscription]}},
        }
    }

    listed = [line.type for line in of_templates({"Shop": template})]

    assert listed == (["AWS::SNS::Subscription", "AWS::SNS::Topic.Subscription"] if recorded else [])


def test_it_reads_the_templates_of_deployed_stacks(client: Client) -> None:
    cloudformation = client("cloudformation")
    template = {"Resources": {"Key": {"Type": "AWS::KMS::Key"}, "Topic": {"Type": "AWS::SNS::Topic"}}}
    cloudformation.create_stack(StackName="declared", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="declared", WaiterConfig={"Delay": 1})

    assert [(line.type, line.resources) for line in declared(cloudformation, ["declared"])] == [
        ("AWS::KMS::Key", ("declared/Key",))
    ]
