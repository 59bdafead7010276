"""Where pip finds the packages of requirements.txt when a training container starts."""

import re

from aws_cdk import aws_iam as iam

from stacks.common.iam import allow


def package_index(index: str) -> tuple[dict[str, str], list[iam.PolicyStatement]]:
    """The container's environment variables for a package index, and the rights that the job's role needs for it.

    index: the setting training.package_index: a CodeArtifact repository's ARN, an address, or empty.
    """
    if not index:
        return {}, []
    if not index.startswith("arn:"):
        return {"PIP_INDEX_URL": index}, []
    domain = re.sub(r":repository/([^/]+)/.*", r":domain/\1", index)
    return (
        # SageMaker's training toolkit gets a token with the job's role, and gives pip the address with that token
        {"CA_REPOSITORY_ARN": index},
        [
            allow("codeartifact:GetAuthorizationToken", on=domain),
            allow("codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository", on=index),
            allow(
                "sts:GetServiceBearerToken",
                on="*",  # IAM defines no resource type for it
                conditions={"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}},
            ),
        ],
    )
