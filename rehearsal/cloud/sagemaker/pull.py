"""The pull of an image from ECR, with the rights of a model's or a training job's role.

A command of this machine stands for the image (images.py); the repository has the entry that the image's build pushed.
"""

import re
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.cloud.api import AwsError, Credentials, Engine
from rehearsal.cloud.sagemaker.failure import HostingError

_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[^@]+))?"
)


def is_private(uri: str, account: str) -> bool:
    """Whether the image is in a repository of this account."""
    found = _IMAGE.fullmatch(uri)
    return found is not None and found["account"] == account


def check_pull(engine: Engine, credentials: Credentials, role_arn: str, uri: str) -> None:
    """Raises AwsError, as CreateTrainingJob does, if the role may not pull the image, from whichever account.

    The engine has the repositories of this account alone, so this decides the calls of a pull and makes none.
    """
    found = _IMAGE.fullmatch(uri)
    if found is None:
        return
    account, repository = found["account"], found["repository"]
    resource = f"arn:aws:ecr:{found['region']}:{account}:repository/{repository}"
    try:
        engine.check(credentials, "ecr:GetAuthorizationToken", "*")
        for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"):
            engine.check(credentials, f"ecr:{action}", resource)
    except AwsError as error:
        raise AwsError(
            "ValidationException",
            f"Access denied for repository: {repository} in registry ID: {account}. Please check if your ECR "
            f"repository and image exist and role {role_arn} has proper pull permissions for SageMaker: {error}",
        ) from error


def pull(ecr: Any, uri: str, role_arn: str) -> None:
    """Call what a pull calls. ecr: a client with the role's credentials. Raises HostingError."""
    found = _IMAGE.fullmatch(uri)
    if found is None:
        raise HostingError(f"{uri} is not the URI of an image in Amazon ECR.")
    repository = found["repository"]
    image = {"imageDigest": found["digest"]} if found["digest"] else {"imageTag": found["tag"] or "latest"}
    digest = found["digest"] or f"sha256:{'0' * 64}"
    try:
        ecr.get_authorization_token()
        if ecr.batch_get_image(repositoryName=repository, imageIds=[image]).get("failures"):
            raise HostingError(f"Requested image {uri} not found.")
        ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)
    except ClientError as error:
        raise HostingError(_reason(error, uri, role_arn)) from error


def _reason(error: ClientError, uri: str, role_arn: str) -> str:
    if error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
        return f"The role '{role_arn}' does not have {error.operation_name} permission for the image: '{uri}'."
    return f"The image '{uri}' cannot be pulled: {error.response['Error'].get('Message', error)}"
