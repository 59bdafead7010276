"""What the stacks of an environment leave in an account of moto, and `kennel sweep` in a shell."""

import functools
import os
from typing import Any

import boto3
from typer.testing import CliRunner, Result

from ops.cli import app
from tests.operate.deployment import REGION

SMOKE = {"project": "kennel", "environment": "smoke"}
DEVELOPMENT = {"project": "kennel"}
AUTO_DELETE = {"aws-cdk:auto-delete-objects": "true"}


def client(service: str, region: str = REGION) -> Any:
    return _client(os.environ["AWS_ENDPOINT_URL"], service, region)


@functools.cache  # a client takes longer to make than its calls do
def _client(url: str, service: str, region: str) -> Any:
    return boto3.client(service, region_name=region, endpoint_url=url)  # type: ignore[call-overload]


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def make_endpoint(name: str, tags: dict[str, str] = SMOKE, *, instances: int = 1, region: str = REGION) -> None:
    sagemaker = client("sagemaker", region)
    sagemaker.create_model(ModelName=name, ExecutionRoleArn="arn:aws:iam::123456789012:role/any")
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": instances,
        "InitialVariantWeight": 1.0,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=pairs(tags))


def make_volume(tags: dict[str, str] = SMOKE, *, gib: int = 100, region: str = REGION) -> str:
    specification = {"ResourceType": "volume", "Tags": pairs(tags)}
    made: str = client("ec2", region).create_volume(
        AvailabilityZone=f"{region}a", Size=gib, VolumeType="gp3", TagSpecifications=[specification]
    )["VolumeId"]
    return made


def make_bucket(name: str, tags: dict[str, str]) -> None:
    """With two versions of an object, and the marker of its deletion."""
    s3 = client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs(tags)})
    for content in (b"one", b"two"):
        s3.put_object(Bucket=name, Key="data/photo.jpg", Body=content)
    s3.delete_object(Bucket=name, Key="data/photo.jpg")


def buckets() -> list[str]:
    return [each["Name"] for each in client("s3").list_buckets()["Buckets"]]


def kennel(*arguments: str, answers: str = "") -> Result:
    """`kennel sweep`. answers: what is typed."""
    return CliRunner().invoke(app, ["sweep", *arguments], input=answers, catch_exceptions=False)
