"""A change that makes CloudFormation replace a resource on AWS replaces it here, and no other change does."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from rehearsal.cloud.local import LocalAws
from rehearsal.cloud.records import ATTRIBUTES
from rehearsal.cloud.replacement import REPLACING
from tests.cloud.conftest import Client

FLOW_LOG: Mapping[str, Any] = {
    "ResourceId": "vpc-1",
    "ResourceType": "VPC",
    "TrafficType": "REJECT",
    "Tags": [{"Key": "a", "Value": "1"}],
}


@pytest.mark.parametrize("kind", sorted(REPLACING))
def test_the_properties_are_those_of_the_schema_of_aws(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    names = {path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", [])}

    assert REPLACING[kind] == {name for name in names if "/" not in name}


def test_each_recorded_type_has_its_properties() -> None:
    assert ATTRIBUTES.keys() <= REPLACING.keys()


@pytest.mark.parametrize(
    ("change", "replaced"),
    [({"TrafficType": "ALL"}, True), ({"Tags": [{"Key": "a", "Value": "2"}]}, False)],
    ids=["create-only", "mutable"],
)
def test_a_record_is_replaced_as_on_aws(
    change: Mapping[str, Any], replaced: bool, client: Client, local_aws: LocalAws
) -> None:
    cloudformation = client("cloudformation")
    name = f"replacement-{replaced}"

    def physical_id() -> str:
        [resource] = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return str(resource["PhysicalResourceId"])

    def template(properties: Mapping[str, Any]) -> str:
        return json.dumps({"Resources": {"Log": {"Type": "AWS::EC2::FlowLog", "Properties": properties}}})

    cloudformation.create_stack(StackName=name, TemplateBody=template(FLOW_LOG))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    before = physical_id()
    cloudformation.update_stack(StackName=name, TemplateBody=template({**FLOW_LOG, **change}))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1})

    assert (physical_id() != before) is replaced
