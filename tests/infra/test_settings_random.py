"""Any valid settings synthesise and keep the app's promises; any invalid one is refused by its name."""

import json
import random
from pathlib import Path

import aws_cdk as cdk
import pytest

from app import build
from environments import Environment
from ops.cost import estimate
from stacks.settings import Settings, SettingsError
from stacks.settings.parse import load
from tests.infra.conftest import FLAGS, Assembly, load_settings
from tests.infra.declared import SETTINGS
from tests.infra.iam import NO_RESOURCE, rights
from tests.infra.random_settings import EVERYDAY, THOROUGH, random_environment, random_settings, sampler

WRONG: dict[str, tuple[object, ...]] = {
    "storage.data_prefix": ("data", "/", "da ta/"),
    "storage.artifact_prefix": ("training", "//"),
    "storage.kms_key_arn": ("alias/photos", "1234abcd", "arn:aws:kms:eu-west-1:111122223333:alias/photos"),
    "training.instance_type": ("g4dn.xlarge", "ml.g4dn", "gpu"),
    "training.fallback_instance_types": ("g5.xlarge", "ml.g5.xlarge,ml.g5.xlarge"),
    "training.mode": ("half", ""),
    "training.precision": ("int8", ""),
    "training.pretrained_uri": ("https://example.org/weights.safetensors", "s3://weights", "s3://weights/resnet50.pth"),
    "training.data_uri": ("https://example.org/dogs/", "s3://theirs", "s3://theirs/dogs", "s3://theirs/*/"),
    "training.data_version": ("two words", "x" * 65),
    "training.model_data": ("s3://bucket/model.zip", "model.tar.gz"),
    "training.package_index": (
        "http://packages.example.org/simple/",
        "https://user:password@packages.example.org/simple/",
        "arn:aws:codeartifact:eu-west-1:111122223333:domain/dogs",
    ),
    "training.subnets": ("subnet-1", "vpc-0123456789abcdef0", "subnet-0123456789abcdef0;subnet-0123456789abcdef1"),
    "training.security_groups": ("default", "subnet-0123456789abcdef0"),
    "training.image_tag": ("", "two words", "a:b"),
    "training.image_end_of_patch": ("next year", "2027-13-01"),
    "serving.endpoint_name": ("", "Dogs", "-dogs", "dogs-", "a" * 64, "dogs_cats"),
    "serving.instance_type": ("m5.large", "ml.t3.medium"),
    "serving.image_uri": ("nginx", "docker.io/library/nginx", "123.dkr.ecr.eu-west-1.amazonaws.com/dogs:1"),
    "serving.subnets": ("subnet-0123456789ABCDEF0", "subnet-0123456789abcdef0"),
    "serving.security_groups": ("sg-", "sg-0123456789abcdef0,default"),
    "serving.capture.prefix": ("capture", ""),
    "api.readable_s3_prefixes": ("bucket", "s3://bucket/photos", "s3://bucket/*/"),
    "api.allowed_url_hosts": ("com", ".com", "*.example.org", "https://example.org", "10.0.0.1", "example.org."),
    "api.http_authorization": ("everyone", ""),
    "monitoring.drift.instance_type": ("m5.large", "ml.m5"),
    "workbench.host_instance_type": ("ml", "g4dn"),
    "workbench.host_image": ("ubuntu", "ami-xyz", "resolve:ssm:parameter"),
    "workbench.vpc": ("default", "vpc-1"),
    "workbench.subnet": ("subnet-1", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
    "workbench.security_groups": ("default", "sg-1"),
    "workbench.notebook_instance_type": ("g4dn.xlarge", "ml.g4dn"),
    "delivery.repository": ("dogs", "dogs/*", "dogs/kennel/main"),
    "delivery.branch": ("", "release/*"),
    "monitoring.email": ("no address", "two@@example.org"),
}
"""Values that no combination makes right, for settings that are text; numbers and switches have their own."""


def wrong_values(name: str) -> tuple[object, ...]:
    if name in WRONG:
        return WRONG[name]
    declared = SETTINGS[name]
    if declared.type is bool:
        return "maybe", "", "2"
    texts = ("many", "nan") if declared.optional else ("many", "1.5", "")
    if declared.choices:
        return max(declared.choices) + 1, *texts
    assert declared.range, name
    step = 1 if declared.type is int else 0.01
    return declared.range.low - step, declared.range.high + step, *texts


def test_every_setting_has_random_valid_and_invalid_values() -> None:
    for name in SETTINGS:
        sampler(name)(random.Random(0))
        assert wrong_values(name)


@pytest.mark.parametrize("seed", range(200))
def test_an_invalid_setting_is_refused_by_name_before_anything_is_synthesised(seed: int) -> None:
    dice = random.Random(seed)
    name = dice.choice(sorted(SETTINGS))
    context = {**dict(random_settings(seed)), name: dice.choice(wrong_values(name))}
    with pytest.raises(SettingsError) as refusal:
        load_settings(context)
    assert name in str(refusal.value)
    assert str(refusal.value).endswith((".", "?", ")"))


def synthesised(seed: int, folder: Path) -> tuple[Assembly, Environment, Settings]:
    context = {**FLAGS, **dict(random_settings(seed))}
    environment = random_environment(seed)
    if environment.region and "storage.kms_key_arn" in context:  # S3 accepts keys of the bucket's own region alone
        context["storage.kms_key_arn"] = str(context["storage.kms_key_arn"]).replace("eu-west-1", environment.region)
    settings = load(environment, context)
    app = cdk.App(context=context, outdir=str(folder))
    build(app, environment, settings)
    app.synth()
    return Assembly(folder, app), environment, settings


def check(assembly: Assembly, environment: Environment, settings: Settings) -> None:
    """Invariants of every valid combination of settings."""
    text = "".join(json.dumps(assembly.raw(stack)) for stack in assembly.names)
    assert "FullAccess" not in text
    for right in rights(assembly):
        assert not [action for action in right.actions if "*" in action], right
        assert "*" not in right.resources or set(right.actions) <= NO_RESOURCE, right
        if "iam:PassRole" in right.actions:
            assert len(right.resources) == 1, right
            assert right.conditions == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    endpoint = assembly.only("AWS::SageMaker::Endpoint")
    assert endpoint["EndpointName"] == settings.serving.endpoint_name
    assert endpoint.get("RetainAllVariantProperties", False) is settings.serving.rollout.retain_variant_properties
    assert assembly.only("AWS::SageMaker::Model")["EnableNetworkIsolation"] is True
    target = assembly.only("AWS::ApplicationAutoScaling::ScalableTarget")
    scaling = settings.serving.scaling
    assert (target["MinCapacity"], target["MaxCapacity"]) == (scaling.min_instances, scaling.max_instances)
    jobs = list(assembly.resources("Custom::TrainingJob"))
    assert len(jobs) == (not settings.training.model_data)
    for _, _, job in jobs:
        longest = int(job["Properties"]["MaxWaitSeconds"]) or int(job["Properties"]["MaxRuntimeSeconds"])
        assert longest + 600 <= 55 * 60
    for _, logical_id, bucket in assembly.resources("AWS::S3::Bucket"):
        kept = "Retain" if environment.protection.keep_bucket else "Delete"
        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == kept, logical_id
        assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    for _, logical_id, group in assembly.resources("AWS::Logs::LogGroup"):
        assert (group["DeletionPolicy"], "RetentionInDays" in group["Properties"]) == ("Delete", True), logical_id
    for _, logical_id, function in assembly.resources("AWS::Lambda::Function"):
        assert "LogGroup" in function["Properties"]["LoggingConfig"], logical_id
    for _, logical_id, group in assembly.resources("AWS::EC2::SecurityGroup"):
        assert "SecurityGroupIngress" not in group["Properties"], logical_id
    assert not list(assembly.resources("AWS::EC2::NatGateway"))
    cost = estimate(assembly.folder, "us-east-1")
    assert cost.without_verdict == ()
    assert 0 < cost.usd("idle") < cost.usd("expected") < cost.usd("worst")


@pytest.mark.parametrize("seed", EVERYDAY)
def test_random_settings_keep_every_invariant(seed: int, tmp_path: Path) -> None:
    check(*synthesised(seed, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("seed", THOROUGH)
def test_many_random_settings_keep_every_invariant(seed: int, tmp_path: Path) -> None:
    check(*synthesised(seed, tmp_path))
