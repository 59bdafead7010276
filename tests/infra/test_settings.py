"""Settings: each default of the design, what an override may say, and how a wrong one is refused."""

import re
from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

import environments
from environments import Environment
from stacks.settings import Settings, SettingsError, TrainingSettings
from stacks.settings.parse import load
from tests.infra.conftest import load_settings
from tests.infra.declared import SETTINGS, at


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
    assert at(load_settings({}), name) == figure


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
    ],
)
def test_an_override_arrives_with_the_type_of_its_field(name: str, text: str, value: object) -> None:
    assert at(load_settings({name: text}), name) == value


def test_a_typed_value_in_cdk_json_equals_its_text() -> None:
    settings = load_settings(
        {"workbench.notebook": False, "api.memory_mib": 256, "api.readable_s3_prefixes": ["s3://bucket/"]}
    )
    assert (settings.workbench.notebook, settings.api.memory_mib) == (False, 256)
    assert settings.api.readable_s3_prefixes == ("s3://bucket/",)


def test_an_override_changes_no_other_setting() -> None:
    changed = load_settings({"serving.scaling.max_instances": "5"})
    assert [name for name in SETTINGS if at(changed, name) != at(Settings(), name)] == ["serving.scaling.max_instances"]


@pytest.mark.parametrize(
    "key",
    [
        "@aws-cdk/core:x",
        "aws:cdk:version-reporting",
        "availability-zones:account=1:region=x",
        "acknowledged-issue-numbers",
        "cli-telemetry",
        "environment",
        "email",
        "acme.region",
        "acme.network.max_zones",
        "environment.owner",
        "ssm:account=1:parameterName=/kennel/photos",
        "region",
        "account",
        "stage",
        "project",
        "api",
        "tags",
        "vpc-id",
        "vpcId",
        "max-azs",
        "log-level",
        "bucket_name",
    ],
)
def test_keys_of_cdk_and_of_other_tools_are_ignored(key: str) -> None:
    assert load_settings({key: "anything"}) == Settings()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("scaling.max_instances", "serving.scaling.max_instances"),
        ("serving.scaling.max_instance", "serving.scaling.max_instances"),
        ("api.memory", "api.memory_mib"),
        ("servng.scaling.max_instances", "serving.scaling.max_instances"),
        ("serving.scaling.max_instancs", "serving.scaling.max_instances"),
        ("max_instances", "serving.scaling.max_instances"),
        ("kennel.enviroment", "kennel.environment"),
        ("kennel-environment", "kennel.environment"),
        ("kennel_environment", "kennel.environment"),
        ("kennel:environment", "kennel.environment"),
        ("kennelEnvironment", "kennel.environment"),
        ("Kennel.Environment", "kennel.environment"),
        ("max_instance", "serving.scaling.max_instances"),
        ("max-instances", "serving.scaling.max_instances"),
        ("maxInstances", "serving.scaling.max_instances"),
        ("learning_rates", "training.learning_rate"),
        ("api-memory-mib", "api.memory_mib"),
        ("apimemorymib", "api.memory_mib"),
        ("training_epoch", "training.epochs"),
        ("TRAINING.EPOCHS", "training.epochs"),
        ("settings.api.memory_mib", "api.memory_mib"),
        ("setting.api.memory_mib", "api.memory_mib"),
        ("project-region", "project.region"),
        ("project.tags", "project.name"),
        ("api.url", "The sections are storage"),
        ("protection.anything", "protection."),
        ("training.network", "training."),
    ],
)
def test_a_misspelled_key_is_refused_with_similar_names(name: str, suggestion: str) -> None:
    with pytest.raises(SettingsError, match=rf"no setting '{re.escape(name)}'.*{re.escape(suggestion)}"):
        load_settings({name: "1"})


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
        ("training.pretrained_uri", "s3://weights/resnet50.pth", "safetensors, none, or empty"),
        ("training.pretrained_uri", "none", "choose training.mode = full"),
        ("training.image_end_of_patch", "next year", "a day such as"),
        ("api.provisioned_concurrency", "-1", "between 0 and 1000"),
        ("api.memory_mib", "64", "between 128"),
        ("api.memory_mib", "lots", "a whole number"),
        ("api.readable_s3_prefixes", "s3://bucket/photos", "entries"),
        ("api.readable_s3_prefixes", "s3://bucket/*/", "entries"),
        ("api.allowed_url_hosts", "com", "top-level domain"),
        ("api.allowed_url_hosts", ".com", "top-level domain"),
        ("api.allowed_url_hosts", "*.example.org", r"every host below it; without .* \*"),
        ("api.allowed_url_hosts", "https://example.org", "without scheme"),
        ("api.allowed_url_hosts", "example.org:443", "port"),
        ("api.allowed_url_hosts", "example.org/photos", "path"),
        ("api.allowed_url_hosts", "Example.org", "lower case"),
        ("api.allowed_url_hosts", "example.org.", "such as|alone"),
        ("api.allowed_url_hosts", "b\u00fccher.example", "host names"),
        ("api.allowed_url_hosts", "169.254.169.254", "IP address"),
        ("api.allowed_url_hosts", "127.1", "IP address"),
        ("api.allowed_url_hosts", "0x7f.0x1", "IP address"),
        ("api.allowed_url_hosts", "[::1]", "IP address"),
        ("storage.artifact_prefix", "data/models/", "overwrite the photos"),
        ("storage.data_prefix", "data", "ends with /"),
        ("workbench.notebook", "maybe", "true or false"),
        ("workbench.idle_stop_min", "7", "multiple of 5"),
        ("workbench.host_image", "ubuntu", "ami-"),
    ],
)
def test_an_impossible_value_is_refused_by_name_value_and_range(name: str, value: str, allowed: str) -> None:
    context = {name: value}
    if name == "serving.rollout.timeout_s":
        context["serving.rollout.bake_s"] = "600"
    with pytest.raises(SettingsError) as refusal:
        load_settings(context)
    sentence = str(refusal.value)
    assert name in sentence
    assert value in sentence
    assert re.search(allowed, sentence)
    assert "\n" not in sentence


def test_a_job_that_could_outlast_the_deploy_is_refused() -> None:
    longest = TrainingSettings.WAIT_CEILING_MIN - TrainingSettings.STARTUP_MIN
    assert load_settings({"training.max_runtime_min": longest}).training.max_runtime_min == longest
    with pytest.raises(SettingsError, match="a deploy waits 55 minutes at most"):
        load_settings({"training.max_runtime_min": longest + 1})


def test_production_keeps_the_figures_of_the_design() -> None:
    production, development = load(environments.load("production"), {}), load_settings({})
    assert production.serving.scaling == development.serving.scaling
    assert production.training == development.training
    assert production.api.provisioned_concurrency == development.api.provisioned_concurrency


def refusal_of(context: Mapping[str, object]) -> str | None:
    """The sentence that refuses a context, or None if it is accepted."""
    try:
        load_settings(context)
    except SettingsError as refusal:
        return str(refusal)
    return None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("project.name", "project"),
        ("project.region", "region"),
        ("project.account", "account"),
        ("project.profile", "profile"),
        ("project.termination_protection", "protection.termination"),
        ("storage.on_destroy", "protection.keep_bucket"),
        ("environment.project", "project"),
        ("environment.region", "region"),
        ("environment.account", "account"),
        ("env.region", "region"),
        ("PROJECT.REGION", "region"),
        ("protection.termination", "protection.termination"),
        ("protection.keep-bucket", "protection.keep_bucket"),
        ("tags.team", "tags.team"),
        ("environment.profile", "profile"),
    ],
)
def test_the_identity_of_a_deployment_is_refused_with_the_file_to_edit(name: str, key: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name} .*edit '{key}' in environments/development\.toml"):
        load_settings({name: "anything"})


def test_a_key_that_only_kennel_writes_is_not_suggested() -> None:
    assert "photos" not in str(refusal_of({"kennel.enviroment": "production"}))


@pytest.mark.parametrize("key", ["preset", "Preset", "project.environment", "environment.name", "env.name"])
def test_another_key_for_the_environments_name_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=r"-c kennel\.environment=NAME"):
        load_settings({key: "production"})


@pytest.mark.parametrize("section", ["api", "serving", "settings", "project", "protection", "tags", "kennel"])
def test_an_object_with_a_sections_name_is_refused(section: str) -> None:
    """~/.cdk.json and cdk.json can contain objects, in which no setting would be found."""
    with pytest.raises(SettingsError, match=rf"no setting '{section}'"):
        load_settings({section: {"memory_mib": 256}})


def test_an_object_of_another_tool_is_ignored() -> None:
    assert load_settings({"environment": {"owner": "cats"}, "acme": {"region": "eu-west-1"}}) == Settings()


def in_file(**settings: object) -> Settings:
    return load(Environment(name="qa", settings=settings), {})


def test_the_settings_of_a_file_have_their_types() -> None:
    settings = in_file(
        serving={"scaling": {"max_instances": 5}},
        training={
            "learning_rate": 1,
            "fallback_instance_types": ["ml.g5.xlarge"],
            "image_end_of_patch": date(2028, 1, 1),
        },
    )
    assert settings.serving.scaling.max_instances == 5
    # exact: the setting is copied or parsed from its text, not computed
    assert settings.training.learning_rate == 1.0
    assert settings.training.fallback_instance_types == ("ml.g5.xlarge",)
    assert settings.training.image_end_of_patch == date(2028, 1, 1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"serving": {"scaling": {"max_instances": "5"}}}, r"max_instances is '5', but must be a whole number"),
        ({"serving": {"scaling": {"max_instances": True}}}, r"max_instances is True, but must be a whole number"),
        ({"serving": {"scaling": {"max_instances": 500}}}, r"max_instances is 500, but must be between 1 and 100"),
        (
            {"serving": {"scaling": 5}},
            r"settings\.serving\.scaling is 5, but must be a table, \[settings\.serving\.scaling\]",
        ),
        ({"servng": {"scaling": {"max_instances": 5}}}, r"no setting 'servng'.*The sections are storage"),
        ({"serving": {"scaling": {"max_instancs": 5}}}, r"no setting .*Did you mean serving\.scaling\.max_instances"),
        ({"api": {"http": 1}}, r"api\.http is 1, but must be true or false"),
        ({"training": {"fallback_instance_types": "ml.g5.xlarge"}}, r"must be a list of texts in quotes"),
        ({"training": {"image_end_of_patch": "2028-01-01"}}, r"must be a day such as 2027-08-21"),
    ],
)
def test_a_wrong_setting_in_a_file_is_refused_with_the_file(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=rf"^environments/qa\.toml: .*{sentence}"):
        in_file(**settings)


def test_the_command_line_outranks_the_file() -> None:
    environment = Environment(name="qa", settings={"api": {"memory_mib": 256}})
    assert load(environment, {}).api.memory_mib == 256
    assert load(environment, {"api.memory_mib": "1024"}).api.memory_mib == 1024


@given(st.text(max_size=30), st.sampled_from(sorted(SETTINGS)))
def test_any_text_is_either_a_valid_setting_or_refused_by_its_name(text: str, name: str) -> None:
    sentence = refusal_of({name: text})
    assert sentence is None or name in sentence


@given(st.integers(-3, 120), st.integers(-3, 120), st.integers(-3, 120))
def test_an_accepted_scaling_range_contains_the_initial_count(low: int, high: int, initial: int) -> None:
    context = {
        "serving.scaling.min_instances": low,
        "serving.scaling.max_instances": high,
        "serving.initial_instances": initial,
    }
    assert (refusal_of(context) is None) == (1 <= low <= initial <= high <= 100)
