"""No update replaces a resource that holds data or a name: old and new templates, compared.

A change of a property in `createOnlyProperties` replaces the resource. CloudFormation's registry lists them for each
type; cfn-lint contains a copy.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from environments import Protection
from tests.infra.conftest import DEVELOPMENT, Assembly, Synthesise

KEPT = {
    "AWS::S3::Bucket",
    "AWS::SageMaker::Endpoint",
    "AWS::ECR::Repository",
    "AWS::EC2::Instance",
    "AWS::SageMaker::NotebookInstance",
    "AWS::Logs::LogGroup",
    "AWS::SNS::Topic",
    "AWS::KMS::Key",
}
"""Types that hold data, a name that callers use, or a disk with a user's work."""

UPDATES = {
    "other photos": (("training.data_version", "b"),),
    "other hyperparameters": (("training.epochs", 41), ("training.learning_rate", 0.01)),
    "more training hosts": (("training.instance_count", 4), ("training.volume_gib", 50)),
    "another training image": (("training.image_tag", "2.15-cu140-amzn2023-sagemaker"),),
    "a model from elsewhere": (("training.model_data", "s3://models/dogs/model.tar.gz"),),
    "another scaling": (
        ("serving.scaling.max_instances", 6),
        ("serving.scaling.min_instances", 2),
        ("serving.initial_instances", 2),
        ("serving.scaling.target_invocations_per_min", 50),
    ),
    "another rollout": (("serving.rollout.bake_s", 600), ("serving.rollout.max_latency_ms", 900)),
    "more memory": (("api.memory_mib", 1024), ("api.timeout_s", 20)),
    "no provisioned concurrency": (("api.provisioned_concurrency", 0),),
    "other alerts": (("monitoring.email", "ops@example.com"), ("monitoring.monthly_budget_usd", 500)),
    "no idle stop": (("workbench.idle_stop_min", 0),),
    "another idle time": (("workbench.idle_stop_min", 30), ("workbench.notebook_idle_stop_min", 30)),
    "a key of the user": (("storage.kms_key_arn", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"),),
    "job and model in a VPC": (
        ("training.subnets", "subnet-0123456789abcdef0"),
        ("training.security_groups", "sg-0123456789abcdef0"),
        ("serving.subnets", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
        ("serving.security_groups", "sg-0123456789abcdef0"),
    ),
    "longer logs": (("serving.log_retention_days", 90), ("api.log_retention_days", 90)),
}
PROTECTED = replace(DEVELOPMENT, protection=Protection(termination=True, keep_bucket=True))


@cache
def create_only(type: str) -> tuple[tuple[str, ...], ...]:
    """Paths of the properties whose change makes CloudFormation replace a resource of this type."""
    if type.startswith("Custom::"):
        return (("ServiceToken",),)
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type).schema
    return tuple(tuple(path.removeprefix("/properties/").split("/")) for path in schema.get("createOnlyProperties", []))


def value_at(value: Any, path: tuple[str, ...]) -> Any:
    """The value at a path; the whole value where the path leads into a list or an intrinsic function."""
    for name in path:
        if not isinstance(value, dict) or any(key.startswith("Fn::") or key == "Ref" for key in value):
            return value
        value = value.get(name)
    return value


def replaced(old: Assembly, new: Assembly) -> Iterator[tuple[str, str]]:
    """Type and logical id of each resource that an update deletes or replaces."""
    after = {(stack, logical_id): resource for stack, logical_id, resource in new.resources("*")}
    for stack, logical_id, before in old.resources("*"):
        now = after.get((stack, logical_id))
        deleted = now is None or now["Type"] != before["Type"]
        if deleted or any(_differ(before, now or {}, path) for path in create_only(before["Type"])):
            yield before["Type"], logical_id


def _differ(before: dict[str, Any], now: dict[str, Any], path: tuple[str, ...]) -> bool:
    return bool(value_at(before.get("Properties", {}), path) != value_at(now.get("Properties", {}), path))


def lost(old: Assembly, new: Assembly) -> set[str]:
    """Logical ids of KEPT resources that the update deletes. A log group of CDK's own functions may go with them."""
    return {
        logical_id
        for kind, logical_id in replaced(old, new)
        if kind in KEPT and not logical_id.startswith(("TrainingJob", "AutoDelete"))
    }


def test_the_create_only_properties_are_known() -> None:
    """With an empty list the tests below could not fail."""
    assert ("BucketName",) in create_only("AWS::S3::Bucket")
    assert ("EndpointName",) in create_only("AWS::SageMaker::Endpoint")
    assert ("LaunchTemplate",) in create_only("AWS::EC2::Instance")


@pytest.mark.parametrize(
    ("override", "type"),
    [
        (("serving.endpoint_name", "other-dogs"), "AWS::SageMaker::Endpoint"),
        (("workbench.zone_index", 1), "AWS::EC2::Subnet"),
        (("workbench.notebook", "false"), "AWS::SageMaker::NotebookInstance"),
    ],
)
def test_a_replacement_is_detected(
    development: Assembly, synthesise: Synthesise, override: tuple[str, object], type: str
) -> None:
    assert type in {found for found, _ in replaced(development, synthesise(override))}


@pytest.mark.parametrize("update", UPDATES)
def test_no_update_deletes_the_bucket_the_endpoint_or_a_disk(
    development: Assembly, synthesise: Synthesise, update: str
) -> None:
    assert lost(development, synthesise(*UPDATES[update])) == set()


@pytest.mark.parametrize(
    "update", ["other photos", "another scaling", "more memory", "other alerts", "another idle time", "longer logs"]
)
def test_an_update_changes_only_the_stacks_that_it_concerns(
    development: Assembly, synthesise: Synthesise, update: str
) -> None:
    stacks = {
        "other photos": {"Training", "Serving"},
        "another scaling": {"Serving", "Monitoring"},
        "more memory": {"Api", "Monitoring", "Serving"},  # and a time limit, which the container has too
        "other alerts": {"Monitoring", "Budget"},
        "another idle time": {"Workbench"},
        "longer logs": {"Serving", "Api"},
    }[update]
    after = synthesise(*UPDATES[update])
    changed = {stack for stack in development.names if development.raw(stack) != after.raw(stack)}
    assert changed == stacks


def test_a_rollback_deletes_nothing_either(development: Assembly, synthesise: Synthesise) -> None:
    for update in ("other photos", "another scaling", "more memory"):
        assert lost(synthesise(*UPDATES[update]), development) == set(), update


def test_another_model_replaces_model_and_config_and_updates_the_endpoint_in_place(
    development: Assembly, synthesise: Synthesise
) -> None:
    after = synthesise(("training.model_data", "s3://models/dogs/model.tar.gz"))
    endpoint = development.only("AWS::SageMaker::Endpoint")
    assert endpoint["EndpointConfigName"] == {"Fn::GetAtt": ["EndpointConfig", "EndpointConfigName"]}
    assert after.only("AWS::SageMaker::Endpoint") == endpoint
    assert after.only("AWS::SageMaker::Model") != development.only("AWS::SageMaker::Model")


def test_turning_the_protection_on_or_off_deletes_nothing(development: Assembly, synthesise: Synthesise) -> None:
    protected = synthesise(environment=PROTECTED)
    assert lost(development, protected) == lost(protected, development) == set()


@pytest.mark.parametrize(
    "change", [{"region": "eu-west-1"}, {"account": "123456789012"}, {"profile": "dogs"}, {"tags": {"team": "dogs"}}]
)
def test_no_change_of_an_environments_file_deletes_anything(
    development: Assembly, synthesise: Synthesise, change: dict[str, Any]
) -> None:
    assert lost(development, synthesise(environment=replace(DEVELOPMENT, **change))) == set()
