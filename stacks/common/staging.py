"""Write the files of an asset to a folder of their own, from which CDK packs them."""

import hashlib
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from aws_cdk import aws_lambda as lambda_


def staged(files: Mapping[str, bytes]) -> Path:
    """A folder with these files alone, by path. It lasts as long as this process; CDK copies it during synthesis."""
    digest = hashlib.sha256()
    for name, found in sorted(files.items()):
        digest.update(f"{name}\0{len(found)}\0".encode() + found)
    folder = Path(_temporary().name) / digest.hexdigest()
    for name, found in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(found)
    return folder


def python_code(files: Mapping[str, bytes]) -> lambda_.Code:
    """The deployment package of a Lambda function with these files."""
    return lambda_.Code.from_asset(str(staged(files)))


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="kennel-assets-")
