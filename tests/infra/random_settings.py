"""Valid settings at random: each setting has a sampler, and a combination that the rules refuse is drawn again."""

import random
from collections.abc import Callable
from typing import get_args

from environments import Environment, Protection
from stacks.settings import SettingsError
from stacks.settings.rules import LogRetentionDays
from tests.infra.conftest import load_settings

EVERYDAY = range(20)
"""Seeds of the everyday tests."""
THOROUGH = range(20, 300)
"""Seeds of `make test-slow`, on top."""

Draw = Callable[[random.Random], object]


def one_of(*options: object) -> Draw:
    return lambda dice: dice.choice(options)


def between(low: int, high: int) -> Draw:
    return lambda dice: dice.randint(low, high)


def either() -> Draw:
    return one_of("true", "false")


SAMPLERS: dict[str, Draw] = {
    "storage.data_prefix": one_of("data/", "photos/", "team/2026/dogs/", "d-1_x.y/"),
    "storage.artifact_prefix": one_of("training/", "models/", "out/put/"),
    "storage.noncurrent_version_days": between(1, 3650),
    "storage.incomplete_upload_days": between(1, 365),
    "training.instance_type": one_of("ml.g4dn.xlarge", "ml.g5.2xlarge", "ml.p3.2xlarge", "ml.c5.xlarge"),
    "training.instance_count": between(1, 20),
    "training.fallback_instance_types": one_of("", "ml.g6.xlarge", "ml.g6.xlarge,ml.g6.2xlarge,ml.trn1n.32xlarge"),
    "training.spot": either(),
    "training.spot_max_wait_min": between(1, 45),
    "training.volume_gib": between(1, 125),
    "training.max_runtime_min": between(1, 45),
    "training.poll_interval_s": one_of(30, 50, 60, 100, 300),
    "training.mode": one_of("frozen", "full"),
    "training.epochs": between(1, 10_000),
    "training.batch_size": lambda dice: 20 * 2 ** dice.randint(0, 5) * 63,
    "training.learning_rate": lambda dice: dice.choice(["", dice.uniform(1e-6, 1)]),
    "training.weight_decay": lambda dice: dice.choice(["", dice.uniform(0, 10)]),
    "training.label_smoothing": lambda dice: dice.choice(["", dice.uniform(0, 0.9)]),
    "training.precision": one_of("auto", "fp32"),
    "training.seed": between(0, 2**31 - 1),
    "training.image_size": between(32, 1024),
    "training.pretrained_uri": one_of("", "s3://weights/resnet50.safetensors", "s3://team.weights/a/b.safetensors"),
    "training.data_version": one_of("", "2026-11", "0" * 64),
    "training.model_data": one_of("", "", "", "s3://models/dogs/model.tar.gz"),
    "training.image_tag": one_of("2.14-cu133-amzn2023-sagemaker", "2.13-cu130-amzn2023-sagemaker"),
    "training.image_end_of_patch": one_of("2027-08-21", "2030-01-01"),
    "serving.endpoint_name": one_of("dogs", "shelter-dogs-2", "a" * 63),
    "serving.instance_type": one_of("ml.m5.large", "ml.c6i.xlarge", "ml.g4dn.xlarge"),
    "serving.initial_instances": between(1, 10),
    "serving.image_uri": one_of("", "", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/dogs:1"),
    "serving.startup_timeout_s": between(60, 3600),
    "serving.download_timeout_s": between(60, 3600),
    "serving.log_retention_days": one_of(*get_args(LogRetentionDays)),
    "serving.canary_interval_min": between(0, 60),
    "serving.scaling.min_instances": between(1, 10),
    "serving.scaling.max_instances": between(1, 100),
    "serving.scaling.target_invocations_per_min": between(1, 100_000),
    "serving.scaling.scale_out_cooldown_s": between(0, 3600),
    "serving.scaling.scale_in_cooldown_s": between(0, 3600),
    "serving.rollout.bake_s": between(60, 3600),
    "serving.rollout.old_fleet_removal_s": between(0, 3600),
    "serving.rollout.timeout_s": between(600, 28800),
    "serving.rollout.max_5xx_per_min": between(0, 10_000),
    "serving.rollout.max_latency_ms": between(1, 60_000),
    "serving.rollout.rollback": either(),
    "serving.rollout.retain_variant_properties": either(),
    "serving.capture.percent": between(0, 100),
    "serving.capture.prefix": one_of("capture/", "seen/by/endpoint/"),
    "serving.capture.keep_days": between(1, 365),
    "api.memory_mib": between(128, 10_240),
    "api.timeout_s": between(5, 900),
    "api.provisioned_concurrency": between(0, 1000),
    "api.readable_s3_prefixes": one_of("", "s3://callers/photos/", "s3://one-bucket/,s3://two-bucket/a/b/"),
    "api.log_retention_days": one_of(*get_args(LogRetentionDays)),
    "api.http": either(),
    "api.http_authorization": one_of("iam", "none"),
    "api.http_requests_per_s": between(1, 1000),
    "api.http_burst": between(1, 1000),
    "workbench.host": either(),
    "workbench.host_instance_type": one_of("g4dn.xlarge", "g5.2xlarge", "m5.large"),
    "workbench.host_volume_gib": between(75, 1000),
    "workbench.host_image": one_of("ami-0123456789abcdef0", "resolve:ssm:/team/golden/ami:3"),
    "workbench.zone_index": between(0, 2),
    "workbench.idle_stop_min": lambda dice: 5 * dice.randint(0, 60),
    "workbench.notebook": either(),
    "workbench.notebook_instance_type": one_of("ml.t3.medium", "ml.g5.xlarge"),
    "workbench.notebook_volume_gib": between(5, 1000),
    "workbench.notebook_idle_stop_min": between(0, 1440),
    "monitoring.email": one_of("", "team@example.org"),
    "monitoring.monthly_budget_usd": between(0, 10_000),
}


def random_settings(seed: int) -> tuple[tuple[str, object], ...]:
    """Overrides that are valid together: about every third setting, the same for the same seed."""
    dice = random.Random(seed)
    while True:
        names = [name for name in SAMPLERS if dice.random() < 0.33]
        overrides = tuple((name, SAMPLERS[name](dice)) for name in names)
        try:
            load_settings(dict(overrides))
        except SettingsError:
            continue
        return overrides


def random_environment(seed: int) -> Environment:
    """An environment whose identity and protection are drawn; the same for the same seed."""
    dice = random.Random(seed)
    return Environment(
        name=dice.choice(["development", "production", "qa"]),
        project=dice.choice(["shelter", "k", "dogs2"]),
        account=dice.choice(["", "123456789012"]),
        region=dice.choice(["", "eu-west-1", "us-east-1", "ap-southeast-7", "il-central-1"]),
        protection=Protection(termination=dice.random() < 0.5, keep_bucket=dice.random() < 0.5),
        tags=dice.choice([{}, {"team": "dogs"}]),
    )
