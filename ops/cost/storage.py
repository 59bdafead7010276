"""What keeps data, keys and images, and what builds an image."""

from collections.abc import Iterator

from ops.cost.assumptions import Assumptions
from ops.cost.charge import Charge, Usage, standing
from ops.cost.templates import Resource, Templates

COMPUTE = {
    "BUILD_GENERAL1_SMALL": "small",
    "BUILD_GENERAL1_MEDIUM": "medium",
    "BUILD_GENERAL1_LARGE": "large",
}


def bucket(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    del resource, app
    artifacts = given.kept_artifacts * given.artifact_gb
    yield Charge(
        what="photos and artifacts",
        price="s3.storage",
        usage=Usage(
            idle=given.data_gb + artifacts,
            expected=given.data_gb + artifacts,
            worst=given.worst_data_gb + given.worst_deploys * given.artifact_gb,
            training=given.artifact_gb,
        ),
    )
    puts = given.photos / 1000
    yield Charge(what="photos uploaded", price="s3.put", usage=Usage(expected=puts, worst=given.worst_deploys * puts))


def repository(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    del resource, app
    gb = given.kept_images * given.image_gb
    worst = (given.kept_images + given.worst_deploys) * given.image_gb
    yield Charge(what="serving images", price="ecr.storage", usage=Usage(idle=gb, expected=gb, worst=worst))


def image_build(project: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    del app
    size = str(project.properties["Environment"]["ComputeType"])
    yield Charge(
        what="builds of the serving image",
        price=f"codebuild.{COMPUTE.get(size, size)}",
        usage=Usage(expected=given.deploys, worst=given.worst_deploys) * given.build_min,
    )


def key(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """A key that the stacks create. Rotation adds the same again for each of the first two years."""
    del app, given
    yield Charge(what=f"key: {resource.properties.get('Description', resource.id)}", price="kms.key", usage=standing(1))


def bootstrap(given: Assumptions) -> Charge:
    """The bucket of `make bootstrap`: no template of Kennel has it, but each stack is deployed through it."""
    gb = given.bootstrap_gb
    return Charge(what="assets of the stacks", price="s3.storage", usage=Usage(idle=gb, expected=gb, worst=gb * 10))
