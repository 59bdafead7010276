"""The pull of an image, as the role of the job or model: whether ECR would let it.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
"""

import re

from rehearsal.cloud.api import AwsError, Credentials, Engine

_PRIVATE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?:[:@].+)?")
_OF_REPOSITORY = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")


def check_pull(engine: Engine, credentials: Credentials, role_arn: str, image: str) -> None:
    """Raise AwsError if the role may not pull the image. An image of a public registry needs no right."""
    private = _PRIVATE.fullmatch(image)
    if private is None:
        return
    registry, region, repository = private.groups()
    try:
        engine.check(credentials, "ecr:GetAuthorizationToken", "*")
        for action in _OF_REPOSITORY:
            engine.check(credentials, f"ecr:{action}", f"arn:aws:ecr:{region}:{registry}:repository/{repository}")
    except AwsError as error:
        raise AwsError(
            "ValidationException",
            f"Access denied for repository: {repository} in registry ID: {registry}. Please check if your ECR "
            f"repository and image exist and role {role_arn} has proper pull permissions for SageMaker: {error}",
        ) from error
