"""AWS's registry of training images, for a local AWS that is kept: `make deploy` looks for the image there first."""

import json
from typing import Any

from stacks.training.registries import REGISTRIES, REPOSITORY

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
NO_CONFIGURATION = {
    "mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": f"sha256:{'0' * 64}"
}  # fmt: skip


def publish_training_image(ecr: Any, region: str, tag: str) -> None:
    """Put an image without layers under the tag. What it stands for is in images.toml. ecr: a boto3 client."""
    names = {"repositoryName": REPOSITORY, "registryId": REGISTRIES[region]}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": NO_CONFIGURATION, "layers": []}
    ecr.create_repository(**names)
    ecr.put_image(**names, imageManifest=json.dumps(manifest), imageTag=tag)
