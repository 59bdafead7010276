"""Settings: each default of the design, what an override may say, and how a wrong one is refused."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.overrides import load
from stacks.settings import Settings, SettingsError, TrainingSettings


def at(settings: object, name: str) -> object:
    """A setting by its full name, such as serving.scaling.max_instances."""
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def every_name(section: Any = None, prefix: str = "") -> list[str]:
    section = section or Settings()
    names = []
    for spec in fields(section):
        value = getattr(section, spec.name)
        names += every_name(value, f"{prefix}{spec.name}.") if is_dataclass(value) else [prefix + spec.name]
    return names


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("workbench.notebook_instance_type", "ml.g4dn.xlarge"),
        ("training.instance_type", "ml.g4dn.xlarge"),
        ("training.instance_count", 2),
        ("serving.instance_type", "ml.m5.large"),
        ("serving.initial_instances", 1),
        ("serving.endpoint_name", "pytorch-dog-classifier-multi-instance"),
        ("serving.scaling.min_instances", 1),
        ("serving.scaling.max_instances", 3),
        ("serving.scaling.target_invocations_per_min", 25),
        ("serving.scaling.scale_out_cooldown_s", 30),
        ("serving.scaling.scale_in_cooldown_s", 30),
        ("api.provisioned_concurrency", 3),
        ("workbench.host_instance_type", "g4dn.xlarge"),
        ("storage.data_prefix", "data/"),
        ("storage.artifact_prefix", "training/"),
    ],
)
def test_defaults_are_the_figures_of_the_design(name: str, figure: object) -> None:
    assert at(load({}), name) == figure


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("serving.scaling.max_instances", "5", 5),
        ("training.learning_rate", "0.01", 0.01),
        ("training.learning_rate", "", None),
        ("training.weight_decay", "0", 0.0),
        ("training.mode", "full", "full"),
        ("workbench.notebook", "false", False),
        ("workbench.host", "True", True),
        (
            "api.readable_s3_prefixes",
            "s3://one-bucket/a/, s3://two-bucket/",
            ("s3://one-bucket/a/", "s3://two-bucket/"),
        ),
        ("api.readable_s3_prefixes", "", ()),
        ("project.region", "eu-west-1", "eu-west-1"),
    ],
)
def test_an_override_arrives_with_the_type_of_its_field(name: str, text: str, value: object) -> None:
    assert at(load({name: text}), name) == value


def test_a_typed_value_of_cdk_json_is_as_good_as_text() -> None:
    settings = load({"workbench.notebook": False, "api.memory_mib": 256, "api.readable_s3_prefixes": ["s3://bucket/"]})
    assert (settings.workbench.notebook, settings.api.memory_mib) == (False, 256)
    assert settings.api.readable_s3_prefixes == ("s3://bucket/",)


def test_an_override_leaves_its_neighbours_alone() -> None:
    changed = load({"serving.scaling.max_instances": "5"})
    assert [name for name in every_name() if at(changed, name) != at(Settings(), name)] == [
        "serving.scaling.max_instances"
    ]


def test_the_keys_of_cdk_itself_are_not_settings() -> None:
    cdk = {"@aws-cdk/core:x": True, "aws:cdk:version-reporting": True, "availability-zones:account=1:region=x": []}
    assert load(cdk) == Settings()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("scaling.max_instances", "serving.scaling.max_instances"),
        ("serving.scaling.max_instance", "serving.scaling.max_instances"),
        ("api.memory", "api.memory_mib"),
        ("nonsense", "The sections are project, storage, training, serving, api, workbench"),
    ],
)
def test_an_unknown_name_is_refused_with_the_near_ones(name: str, suggestion: str) -> None:
    with pytest.raises(SettingsError, match=rf"no setting '{re.escape(name)}'.*{re.escape(suggestion)}"):
        load({name: "1"})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("serving.scaling.max_instances", "0", "between 1 and 100"),
        ("serving.scaling.min_instances", "4", r"between 1 and serving.scaling.max_instances \(3\)"),
        ("serving.initial_instances", "4", r"between serving.scaling.min_instances \(1\)"),
        ("serving.instance_type", "ml.t2.medium", "burstable"),
        ("serving.endpoint_name", "Dogs_And_Cats", "a-z"),
        ("serving.endpoint_name", "dogs-", "at either end"),
        ("serving.image_uri", "docker.io/library/nginx", "ACCOUNT.dkr.ecr"),
        ("serving.rollout.timeout_s", "600", "between 600|more than"),
        ("serving.log_retention_days", "31", "30, 60"),
        ("training.max_runtime_min", "46", "between 1 and 45.*training.model_data"),
        ("training.instance_count", "0", "between 1 and 20"),
        ("training.batch_size", "63", "multiple of training.instance_count"),
        ("training.volume_gib", "126", "at most 125"),
        ("training.poll_interval_s", "37", "divisor"),
        ("training.poll_interval_s", "10", "between 30 and 300"),
        ("training.mode", "half", "frozen, full"),
        ("training.learning_rate", "0", "between 1e-08 and 1"),
        ("training.learning_rate", "fast", "a number"),
        ("training.weight_decay", "-0.1", "between 0.0 and 10.0"),
        ("training.label_smoothing", "nan", "between 0.0 and 0.9"),
        ("training.precision", "int8", "auto, fp32"),
        ("training.model_data", "s3://bucket/model.zip", "tar.gz"),
        ("training.pretrained_uri", "https://example.org/resnet50.safetensors", "s3://BUCKET/KEY"),
        ("training.pretrained_uri", "s3://weights/resnet50.pth", "safetensors, or empty"),
        ("training.image_end_of_patch", "next year", "a day such as"),
        ("api.provisioned_concurrency", "-1", "between 0 and 1000"),
        ("api.memory_mib", "64", "between 128"),
        ("api.memory_mib", "lots", "a whole number"),
        ("api.readable_s3_prefixes", "s3://bucket/photos", "entries"),
        ("api.readable_s3_prefixes", "s3://bucket/*/", "entries"),
        ("storage.on_destroy", "forget", "delete, retain"),
        ("storage.artifact_prefix", "data/models/", "overwrite the photos"),
        ("storage.data_prefix", "data", "ends with /"),
        ("workbench.notebook", "maybe", "true or false"),
        ("workbench.idle_stop_min", "7", "multiple of 5"),
        ("workbench.host_image", "ubuntu", "ami-"),
        ("project.name", "Kennel!", "a-z"),
        ("project.region", "Ireland", "eu-west-1"),
        ("preset", "staging", "development, production"),
    ],
)
def test_an_impossible_value_is_refused_by_name_value_and_range(name: str, value: str, allowed: str) -> None:
    context = {name: value}
    if name == "serving.rollout.timeout_s":
        context["serving.rollout.bake_s"] = "600"
    with pytest.raises(SettingsError) as refusal:
        load(context)
    sentence = str(refusal.value)
    assert name in sentence
    assert value in sentence
    assert re.search(allowed, sentence)
    assert "\n" not in sentence


def test_a_job_that_could_outlast_the_deploy_is_refused() -> None:
    longest = TrainingSettings.WAIT_CEILING_MIN - TrainingSettings.STARTUP_MIN
    assert load({"training.max_runtime_min": longest}).training.max_runtime_min == longest
    with pytest.raises(SettingsError, match="a deploy waits 55 minutes at most"):
        load({"training.max_runtime_min": longest + 1})


def test_production_keeps_the_data_and_development_does_not() -> None:
    assert load({}).storage.on_destroy == "delete"
    production = load({"preset": "production"})
    assert production.storage.on_destroy == "retain"
    assert production.project.termination_protection


def test_an_override_outranks_the_preset() -> None:
    assert load({"preset": "production", "storage.on_destroy": "delete"}).storage.on_destroy == "delete"


def test_production_changes_none_of_the_users_figures() -> None:
    production, development = load({"preset": "production"}), load({})
    assert production.serving.scaling == development.serving.scaling
    assert production.training == development.training
    assert production.api.provisioned_concurrency == development.api.provisioned_concurrency


def refusal_of(context: Mapping[str, object]) -> str | None:
    """The sentence that refuses a context, or None where it is accepted."""
    try:
        load(context)
    except SettingsError as refusal:
        return str(refusal)
    return None


@given(st.text(max_size=30), st.sampled_from(every_name()))
def test_any_text_is_either_a_valid_setting_or_refused_by_its_name(text: str, name: str) -> None:
    sentence = refusal_of({name: text})
    assert sentence is None or name in sentence


@given(st.integers(-3, 120), st.integers(-3, 120), st.integers(-3, 120))
def test_accepted_scaling_always_holds_the_initial_count(low: int, high: int, initial: int) -> None:
    context = {
        "serving.scaling.min_instances": low,
        "serving.scaling.max_instances": high,
        "serving.initial_instances": initial,
    }
    assert (refusal_of(context) is None) == (1 <= low <= initial <= high <= 100)
