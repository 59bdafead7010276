"""Old and new template of each kind of update, side by side, by AWS's own list of what a change replaces.

The list is each type's `createOnlyProperties` in CloudFormation's registry; cfn-lint carries a copy.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from tests.infra.conftest import Assembly, Synthesise

KEPT = {
    "AWS::S3::Bucket",
    "AWS::SageMaker::Endpoint",
    "AWS::EC2::Instance",
    "AWS::SageMaker::NotebookInstance",
    "AWS::Logs::LogGroup",
    "AWS::SNS::Topic",
    "AWS::KMS::Key",
}
"""Data, a name that callers use, a disk that somebody works on."""

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
    "another idle time": (("workbench.idle_stop_min", 30), ("workbench.notebook_idle_stop_min", 30)),
    "longer logs": (("serving.log_retention_days", 90), ("api.log_retention_days", 90)),
    "production": (("preset", "production"),),
}


@cache
def create_only(type: str) -> tuple[tuple[str, ...], ...]:
    """Paths of the properties whose change makes CloudFormation create another resource and delete this one."""
    if type.startswith("Custom::"):
        return (("ServiceToken",),)
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type).schema
    return tuple(tuple(path.removeprefix("/properties/").split("/")) for path in schema.get("createOnlyProperties", []))


def at(value: Any, path: tuple[str, ...]) -> Any:
    """What is at a path, as deep as it is plain: below a list or a function, all of it."""
    for name in path:
        if not isinstance(value, dict) or any(key.startswith("Fn::") or key == "Ref" for key in value):
            return value
        value = value.get(name)
    return value


def replaced(old: Assembly, new: Assembly) -> Iterator[tuple[str, str]]:
    """Type and logical id of what an update deletes, whether or not another takes its place."""
    after = {(stack, logical_id): resource for stack, logical_id, resource in new.resources("*")}
    for stack, logical_id, before in old.resources("*"):
        now = after.get((stack, logical_id))
        gone = now is None or now["Type"] != before["Type"]
        if gone or any(_differ(before, now or {}, path) for path in create_only(before["Type"])):
            yield before["Type"], logical_id


def _differ(before: dict[str, Any], now: dict[str, Any], path: tuple[str, ...]) -> bool:
    return bool(at(before.get("Properties", {}), path) != at(now.get("Properties", {}), path))


def lost(old: Assembly, new: Assembly) -> set[str]:
    """Logical ids of what should have stayed. A helper's log group may go with its helper."""
    return {
        logical_id
        for kind, logical_id in replaced(old, new)
        if kind in KEPT and not logical_id.startswith(("TrainingJob", "AutoDelete"))
    }


def test_the_list_knows_what_it_must() -> None:
    """A comparison against an empty list would find nothing, ever."""
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
def test_it_sees_a_replacement_where_there_is_one(
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
def test_an_update_that_is_not_of_the_model_touches_no_other_stack_than_its_own(
    development: Assembly, synthesise: Synthesise, update: str
) -> None:
    stacks = {
        "other photos": {"Training", "Serving"},
        "another scaling": {"Serving", "Monitoring"},
        "more memory": {"Api", "Monitoring"},
        "other alerts": {"Monitoring"},
        "another idle time": {"Workbench"},
        "longer logs": {"Serving", "Api"},
    }[update]
    after = synthesise(*UPDATES[update])
    changed = {stack for stack in development.names if development.raw(stack) != after.raw(stack)}
    assert changed == stacks


def test_an_update_goes_back_the_way_it_came(development: Assembly, synthesise: Synthesise) -> None:
    """A rollback is an update too."""
    for update in ("other photos", "another scaling", "more memory", "production"):
        assert lost(synthesise(*UPDATES[update]), development) == set(), update
