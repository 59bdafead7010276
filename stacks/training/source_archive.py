"""The code that training hosts run, as a CDK asset with reproducible bytes."""

import gzip
import hashlib
import tempfile
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from stacks.training.source_files import ROOT, pack


class SourceArchive(assets.Asset):
    """`contract/`, `training/` and `inference/` as source.tar.gz: code, the report's page, requirements.

    SageMaker unpacks it into /opt/ml/code and installs the requirements.txt at its root, which has every version and
    hash. So a change of what is installed is another archive, and another training job.
    """

    def __init__(self, scope: Construct, id: str, *, root: Path = ROOT) -> None:
        tar = pack(root)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "source.tar.gz"
            path.write_bytes(gzip.compress(tar, mtime=0))
            # The hash is that of the tar, since builds of zlib differ in how they compress the same bytes, and a new
            # hash means a new training job.
            super().__init__(
                scope,
                id,
                path=str(path),
                asset_hash=hashlib.sha256(tar).hexdigest(),
                asset_hash_type=AssetHashType.CUSTOM,
            )
