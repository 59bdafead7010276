"""The code of both functions: the folder `probe/`, the photo in it included."""

from pathlib import Path

from aws_cdk import IgnoreMode
from aws_cdk import aws_lambda as lambda_


def package() -> lambda_.Code:
    """The same asset for whoever asks."""
    return lambda_.Code.from_asset(
        str(Path(__file__).parent), exclude=["/*", "!/probe", "__pycache__"], ignore_mode=IgnoreMode.GIT
    )
