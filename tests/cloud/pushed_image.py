"""The image of the echo app's endpoint, in the registry of a local AWS."""

import json
from typing import Any


def push_an_image(ecr: Any) -> None:
    """As `docker push` does. The images file says which program stands for it."""
    ecr.create_repository(repositoryName="echo")
    manifest = {"schemaVersion": 2, "config": {"digest": f"sha256:{'0' * 64}"}, "layers": []}
    ecr.put_image(repositoryName="echo", imageTag="1", imageManifest=json.dumps(manifest))
