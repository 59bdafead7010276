"""A finished artifact that is deployed: packed as SageMaker packs a training's model, and sent to a bucket."""

import io
import tarfile
from pathlib import Path
from typing import Any

from inference.artifact import MANIFEST, ArtifactError, read_manifest

DEFAULT = Path("build/rehearsal/job/model")
"""Where `make rehearse` writes its model."""


def check(folder: Path) -> None:
    """Raises ArtifactError if the folder holds no artifact."""
    if not folder.is_dir():
        raise ArtifactError(
            f"There is no model in {folder}. Run `make rehearse`, which makes one, or name the folder of another one: "
            "--model FOLDER."
        )
    read_manifest(folder)


def packed(folder: Path, *, level: int = 1) -> bytes:
    """model.tar.gz with the files that the manifest names. Raises ArtifactError if the folder holds no artifact.

    level: of gzip; 0 does not compress, which takes a tenth of the time.
    """
    check(folder)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=level) as archive:
        for name in sorted({MANIFEST, *read_manifest(folder).files}):
            archive.add(folder / name, arcname=name, filter=_as_training_packs)
    return buffer.getvalue()


def _as_training_packs(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Readable for every user: the container is not the owner of the files."""
    member.mode, member.uid, member.gid, member.uname, member.gname = 0o644, 0, 0, "", ""
    return member


def upload(s3: Any, bucket: str, name: str, content: bytes) -> str:
    """Send the archive to the bucket. Returns its URI."""
    key = f"training/smoke/{name}/model.tar.gz"
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return f"s3://{bucket}/{key}"
