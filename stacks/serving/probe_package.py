"""The deployment package of the check and the canary: the folder `probe/` with its photo."""

from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from stacks.common.sources import sources
from stacks.common.staging import python_code


def package() -> lambda_.Code:
    """One asset for both functions: CDK recognises the second by its hash."""
    return python_code(sources(Path(__file__).parent, packages=["probe"], files=["probe/dog.jpg"]))
