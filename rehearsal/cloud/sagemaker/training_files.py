"""The files of a training job: channels and checkpoints from S3, artifacts and checkpoints to it, as the job's role."""

import os
import shutil
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.s3_files import (
    TransferError,
    bucket_and_key,
    download,
    list_keys,
    upload,
)
from rehearsal.cloud.sagemaker.training_request import CHECKPOINTS, OPT_ML, input_mode
from rehearsal.hosts.network import Host

SYNC_EVERY_S = 2.0
_STORED = 0
"""The level of gzip. Weights hardly compress, and this machine's processors have other work."""


def download_channels(
    s3: Any, request: Json, hosts: Sequence[Host], folder: Path, stopped: Callable[[], bool]
) -> list[dict[str, Path]]:
    """Download the channels. Returns each host's folders by channel. Raises TransferError.

    A channel that is FullyReplicated is one folder for all hosts. One that is ShardedByS3Key is a folder for each.
    """
    found: list[dict[str, Path]] = [{} for _ in hosts]
    for channel in request.get("InputDataConfig", []):
        if stopped():
            break
        name, source = channel["ChannelName"], channel["DataSource"]["S3DataSource"]
        uri = source["S3Uri"]
        keys = [key for key in list_keys(s3, uri) if not key.endswith("/")]
        if not keys:
            raise TransferError(f"No S3 objects found under S3 URL {uri!r} given in input data source.")
        if source.get("S3DataDistributionType") == "ShardedByS3Key":
            for host, folders in zip(hosts, found, strict=True):
                folders[name] = folder / f"{name}-of-{host.name}"
                download(s3, uri, folders[name], keys[host.rank :: len(hosts)])
        else:
            download(s3, uri, folder / name, keys)
            for folders in found:
                folders[name] = folder / name
    return found


def channel_configuration(request: Json) -> dict[str, Json]:
    """inputdataconfig.json."""
    algorithm = request["AlgorithmSpecification"]
    return {
        channel["ChannelName"]: {
            "TrainingInputMode": input_mode(channel, algorithm),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }
        for channel in request.get("InputDataConfig", [])
    }


class Checkpoints:
    """Restores the checkpoints at the start; uploads new ones during the `with` block, and the last at its end.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-checkpoints.html
    """

    def __init__(self, s3: Any, request: Json, hosts: Sequence[Host], report: Callable[[str], None]) -> None:
        config = request.get("CheckpointConfig")
        self._s3, self._report = s3, report
        self._uri = config["S3Uri"].rstrip("/") + "/" if config else ""
        local = PurePosixPath((config or {}).get("LocalPath") or CHECKPOINTS).relative_to(OPT_ML)
        self._folders = [host.base / local for host in hosts] if config else []
        self._sent: dict[Path, tuple[int, int]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sync_until_end, name="checkpoints", daemon=True)

    def restore(self) -> None:
        """Give each host what earlier jobs have uploaded. Raises TransferError."""
        keys = list_keys(self._s3, self._uri) if self._uri else []
        for folder in self._folders:
            download(self._s3, self._uri, folder, keys)
        self._sent = dict(self._files())

    def __enter__(self) -> Self:
        if self._uri:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._uri:
            self._ended.set()
            self._thread.join()

    def _sync_until_end(self) -> None:
        while not self._ended.wait(SYNC_EVERY_S):
            self._sync()
        self._sync()

    def _files(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for folder in self._folders:
            for path in folder.rglob("*"):
                try:
                    seen = path.stat()
                except FileNotFoundError:
                    continue  # the job removed it meanwhile
                if path.is_file():
                    found[path] = (seen.st_mtime_ns, seen.st_size)
        return found

    def _sync(self) -> None:
        bucket, prefix = bucket_and_key(self._uri)
        for folder in self._folders:
            for path, version in self._files().items():
                if self._sent.get(path) == version or not path.is_relative_to(folder):
                    continue
                try:
                    upload(self._s3, {f"{prefix}{path.relative_to(folder).as_posix()}": path}, bucket, {})
                except FileNotFoundError:
                    continue
                except TransferError as error:
                    self._report(f"A checkpoint was not uploaded: {error}")
                self._sent[path] = version


def merge(folders: Sequence[Path], target: Path) -> list[Path]:
    """Copy the files of several folders into one. Where two have a file, the last one's stays, as on SageMaker."""
    for folder in folders:
        if folder.is_dir():
            shutil.copytree(folder, target, dirs_exist_ok=True, copy_function=_link)
    target.mkdir(parents=True, exist_ok=True)
    return sorted(path for path in target.rglob("*") if path.is_file())


def upload_output(s3: Any, request: Json, hosts: Sequence[Host], output_uri: str, scratch: Path) -> None:
    """Upload model.tar.gz and, where the hosts wrote into output/data, output.tar.gz. Raises TransferError."""
    config = request["OutputDataConfig"]
    # without a key in the request, SageMaker names AWS's own key for S3, which the engine lacks
    key = config.get("KmsKeyId")
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
    bucket, prefix = bucket_and_key(output_uri)
    for name, folders in (
        ("model", [host.model for host in hosts]),
        ("output", [host.output_data for host in hosts]),
    ):
        merged = scratch / name
        files = merge(folders, merged)
        if not files and name == "output":
            continue
        if config.get("CompressionType", "GZIP") == "GZIP":
            archive = scratch / f"{name}.tar.gz"
            with tarfile.open(archive, "w:gz", compresslevel=_STORED) as packed:
                for path in files:
                    packed.add(path, arcname=str(path.relative_to(merged)))
            upload(s3, {f"{prefix}/{archive.name}": archive}, bucket, encryption)
        else:
            keys: Mapping[str, Path] = {
                f"{prefix}/{name}/{path.relative_to(merged).as_posix()}": path for path in files
            }
            upload(s3, keys, bucket, encryption)


def _link(source: str, target: str) -> None:
    """A hard link where the file system has them: a copy of a model takes time and space."""
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
