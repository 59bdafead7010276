"""The serving container's image: built in the account, or one that already exists."""

import re
from pathlib import Path

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from cdklabs.deploy_time_build import ContainerImageBuild
from constructs import Construct

from stacks.constructs.policy import pull

FOLDER = Path(__file__).resolve().parents[2] / "inference"
KEPT_IMAGES = 10
"""A rollback needs the image before; older ones are deleted."""


class ServingImage(Construct):
    """Builds `inference/Dockerfile` with CodeBuild during the deploy: nobody needs Docker (docs/decisions/0002)."""

    def __init__(self, scope: Construct, id: str, *, folder: Path = FOLDER) -> None:
        super().__init__(scope, id)
        repository = ecr.Repository(
            self,
            "Repository",
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=KEPT_IMAGES)],
            empty_on_delete=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        build = ContainerImageBuild(
            self,
            "Build",
            directory=str(folder),
            exclude=["**/__pycache__", "**/*.pyc"],
            platform=ecr_assets.Platform.LINUX_AMD64,
            repository=repository,
        )
        self.uri = build.image_uri
        self.rights = pull(repository.repository_arn)


class GivenImage(Construct):
    """An image in a private ECR repository, named by `serving.image_uri`."""

    def __init__(self, scope: Construct, id: str, *, uri: str) -> None:
        super().__init__(scope, id)
        found = re.match(r"(?P<account>\d+)\.dkr\.ecr\.(?P<region>[^.]+)\.[^/]+/(?P<name>[^:@]+)", uri)
        if found is None:
            raise ValueError(f"not an ECR image: {uri}")  # settings refuse it before
        self.uri = uri
        self.rights = pull(f"arn:{Aws.PARTITION}:ecr:{found['region']}:{found['account']}:repository/{found['name']}")
