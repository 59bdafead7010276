"""Valid settings at random, from their declarations. A combination that the rules refuse is drawn again."""

import random
from collections.abc import Callable

from environments import Environment, Protection
from stacks.settings import SettingsError
from tests.infra.conftest import load_settings
from tests.infra.declared import SETTINGS

EVERYDAY = range(5)
"""Seeds of the everyday tests."""
THOROUGH = range(5, 300)
"""Seeds of `make test-slow`, on top."""

Draw = Callable[[random.Random], object]


def one_of(*options: object) -> Draw:
    return lambda dice: dice.choice(options)


def between(low: int, high: int) -> Draw:
    return lambda dice: dice.randint(low, high)


SPECIAL: dict[str, Draw] = {
    # texts, and numbers that other settings limit so far that a draw from the whole range would hardly ever fit
    "storage.data_prefix": one_of("data/", "photos/", "team/2026/dogs/", "d-1_x.y/"),
    "storage.artifact_prefix": one_of("training/", "models/", "out/put/"),
    "storage.kms_key_arn": one_of("", "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"),
    "training.instance_type": one_of("ml.g4dn.xlarge", "ml.g5.2xlarge", "ml.p3.2xlarge", "ml.c5.xlarge"),
    "training.fallback_instance_types": one_of("", "ml.g6.xlarge", "ml.g6.xlarge,ml.g6.2xlarge,ml.trn1n.32xlarge"),
    "training.volume_gib": between(1, 125),
    "training.poll_interval_s": one_of(30, 50, 60, 100, 300),
    "training.batch_size": lambda dice: 20 * 2 ** dice.randint(0, 5) * 63,
    "training.pretrained_uri": one_of("", "s3://weights/resnet50.safetensors", "s3://team.weights/a/b.safetensors"),
    "training.data_uri": one_of("", "", "s3://theirs/dogs/", "s3://team.photos/a/b=1/"),
    "training.data_version": one_of("", "2026-11", "0" * 64),
    "training.model_data": one_of("", "", "", "s3://models/dogs/model.tar.gz"),
    "training.package_index": one_of(
        "", "https://packages.example.org/pypi/simple/", "arn:aws:codeartifact:eu-west-1:111122223333:repository/d/r.1"
    ),
    "training.subnets": one_of("", "subnet-01234567", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
    "training.security_groups": one_of("", "sg-0123456789abcdef0"),
    "training.image_tag": one_of("2.14-cu133-amzn2023-sagemaker", "2.13-cu130-amzn2023-sagemaker"),
    "training.image_end_of_patch": one_of("2027-08-21", "2030-01-01"),
    "serving.endpoint_name": one_of("dogs", "shelter-dogs-2", "a" * 63),
    "serving.instance_type": one_of("ml.m5.large", "ml.c6i.xlarge", "ml.g4dn.xlarge"),
    "serving.initial_instances": between(1, 10),
    "serving.image_uri": one_of("", "", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/dogs:1"),
    "serving.subnets": one_of("", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"),
    "serving.security_groups": one_of("", "sg-0123456789abcdef0", "sg-0123456789abcdef0,sg-01234567"),
    "serving.canary_interval_min": between(0, 60),
    "serving.scaling.min_instances": between(1, 10),
    "serving.capture.prefix": one_of("capture/", "seen/by/endpoint/"),
    "monitoring.drift.instance_type": one_of("ml.m5.large", "ml.t3.medium"),
    "api.readable_s3_prefixes": one_of("", "s3://callers/photos/", "s3://one-bucket/,s3://two-bucket/a/b/"),
    "api.allowed_url_hosts": one_of("", "photos.example.org", ".example.org,xn--bcher-kva.example"),
    "workbench.host_instance_type": one_of("g4dn.xlarge", "g5.2xlarge", "m5.large"),
    "workbench.host_image": one_of("ami-0123456789abcdef0", "resolve:ssm:/team/golden/ami:3"),
    "workbench.idle_stop_min": lambda dice: 5 * dice.randint(0, 60),
    "workbench.vpc": one_of("", "vpc-0123456789abcdef0"),
    "workbench.subnet": one_of("", "subnet-0123456789abcdef0"),
    "workbench.security_groups": one_of("", "sg-0123456789abcdef0"),
    "workbench.notebook_instance_type": one_of("ml.t3.medium", "ml.g5.xlarge"),
    "delivery.repository": one_of("", "", "dogs/kennel", "dogs@123456/kennel@456789"),
    "delivery.branch": one_of("main", "release/1.x"),
    "monitoring.email": one_of("", "team@example.org"),
}


def sampler(name: str) -> Draw:
    """Draws a value within what the setting declares, as `-c` would have it."""
    if name in SPECIAL:
        return SPECIAL[name]
    declared = SETTINGS[name]
    if declared.choices:
        return one_of(*declared.choices)
    if declared.type is bool:
        return one_of("true", "false")
    if declared.range is None:
        raise LookupError(f"{name} is a text; add values to try to SPECIAL.")
    low, high = declared.range.low, declared.range.high
    if declared.type is int:
        return between(int(low), int(high))
    return lambda dice: dice.choice(["", dice.uniform(low, high)])


def random_settings(seed: int) -> tuple[tuple[str, object], ...]:
    """Overrides that are valid together: about every third setting, the same for the same seed."""
    dice = random.Random(seed)
    while True:
        names = [name for name in SETTINGS if dice.random() < 0.33]
        overrides = tuple((name, sampler(name)(dice)) for name in names)
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
