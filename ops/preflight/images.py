"""The images that the settings name: the AMI of the training host, and the containers of training and serving."""

import re
from collections.abc import Iterator

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error
from ops.preflight.target import Target
from stacks.training.registries import REGISTRIES, REPOSITORY

SUBJECT = "images"

MANIFESTS = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
]


def checks(target: Target) -> Iterator[Check]:
    if target.has_host:
        yield Check(
            subject=SUBJECT,
            title="the image of the training host",
            needs="ssm:GetParameter and ec2:DescribeImages",
            find=machine_image,
        )
    if target.trains:
        yield Check(
            subject=SUBJECT, title="the image of the training job", needs="ecr:BatchGetImage", find=training_image
        )
    if "serving" in target.stacks and target.settings.serving.image_uri:
        yield Check(subject=SUBJECT, title="the image of the endpoint", needs="ecr:BatchGetImage", find=serving_image)


def machine_image(target: Target) -> Iterator[Finding]:
    """An SSM parameter, or an AMI, that does not exist in the region."""
    named = target.settings.workbench.host_image
    image = named
    if parameter := named.removeprefix("resolve:ssm:") if named.startswith("resolve:ssm:") else "":
        try:
            image = target.client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] not in ("ParameterNotFound", "ParameterVersionNotFound"):
                raise
            yield _no_machine_image(f"There is no SSM parameter {parameter} in {target.region}", target)
            return
    try:
        found = target.client("ec2").describe_images(ImageIds=[image])["Images"]
    except ClientError as refusal:
        if not refusal.response["Error"]["Code"].startswith("InvalidAMI"):
            raise
        found = []
    if not found:
        yield _no_machine_image(f"There is no image {image} in {target.region}", target)


def _no_machine_image(what: str, target: Target) -> Finding:
    pinned = target.settings.workbench.host_image.startswith("ami-")
    return error(
        SUBJECT,
        f"{what} (workbench.host_image), from which the training host is launched.",
        f"make ami{target.env_option}" if pinned else "Name another one: -c workbench.host_image=...",
        "It pins today's image of the region." if pinned else "",
    )


def training_image(target: Target) -> Iterator[Finding]:
    """A tag that AWS's registry of the region does not have."""
    tag = target.settings.training.image_tag
    registry = REGISTRIES.get(target.region)
    if registry is None:
        yield error(
            SUBJECT,
            f"AWS publishes no image {REPOSITORY}:{tag} for training in {target.region}.",
            f"Choose one of these regions: {', '.join(REGISTRIES)}",
        )
    elif not _exists(target, registry, target.region, REPOSITORY, {"imageTag": tag}):
        yield error(
            SUBJECT,
            f"AWS's registry {registry} in {target.region} has no image {REPOSITORY}:{tag} (training.image_tag).",
            "Name a newer one: -c training.image_tag=... -c training.image_end_of_patch=... (AWS lists them on "
            "https://aws.github.io/deep-learning-containers/reference/available_images/)",
        )


def serving_image(target: Target) -> Iterator[Finding]:
    """An image of `serving.image_uri` that is not in its repository."""
    uri = target.settings.serving.image_uri
    registry, region, image = re.split(r"\.dkr\.ecr\.|\.amazonaws\.[a-z.]+/", uri)
    repository, digest, tag = image.partition("@") if "@" in image else image.partition(":")
    by_digest = digest == "@"
    if not _exists(target, registry, region, repository, {"imageDigest" if by_digest else "imageTag": tag}):
        yield error(
            SUBJECT,
            f"There is no image {uri} (serving.image_uri).",
            "Push it, or leave the setting out: then the image is built in the account.",
        )


def _exists(target: Target, registry: str, region: str, repository: str, image: dict[str, str]) -> bool:
    """Whether an image can be pulled. BatchGetImage is a part of a pull, so it needs no other permission."""
    try:
        found = target.client("ecr", region).batch_get_image(
            registryId=registry, repositoryName=repository, imageIds=[image], acceptedMediaTypes=MANIFESTS
        )
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] == "RepositoryNotFoundException":
            return False
        raise
    return bool(found["images"])
