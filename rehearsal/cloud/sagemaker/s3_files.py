"""Files to and from S3 as a role: many at once, with S3's reason where it refuses."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

AT_ONCE = 8
_CHUNK = 1 << 20


class TransferError(Exception):
    """S3 refused a request. The message has S3's code and reason."""


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Of an S3 URI. The key may be a prefix, and have any character: `s3://dogs/a#b` is the key `a#b`."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def list_keys(s3: Any, uri: str) -> list[str]:
    """The keys of all objects whose key begins with the URI's, sorted. Raises TransferError."""
    bucket, prefix = bucket_and_key(uri)
    keys: list[str] = []
    query = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page = _allowed(lambda: s3.list_objects_v2(**query), uri)
        keys += [item["Key"] for item in page.get("Contents", [])]
        if not page.get("IsTruncated"):
            return sorted(keys)
        query["ContinuationToken"] = page["NextContinuationToken"]


def below(prefix: str, key: str) -> str:
    """The path of an object below its prefix: of the prefix `data` or `data/`, `data/a/b.jpg` is `a/b.jpg`."""
    rest = key[len(prefix) :]
    if rest.startswith("/") or (rest and prefix.endswith("/")):
        return rest.lstrip("/")
    return key[prefix.rfind("/") + 1 :]  # the prefix is a key, or the start of a name


def download(s3: Any, uri: str, folder: Path, keys: Iterable[str]) -> None:
    """Write each object to its path below the URI's prefix. Raises TransferError."""
    bucket, prefix = bucket_and_key(uri)
    folder.mkdir(parents=True, exist_ok=True)

    def get(key: str) -> None:
        target = folder / below(prefix, key)
        if not target.resolve().is_relative_to(folder.resolve()):
            raise TransferError(f"The key {key} has no place below {folder.name}.")
        target.parent.mkdir(parents=True, exist_ok=True)
        found = _allowed(lambda: s3.get_object(Bucket=bucket, Key=key), f"s3://{bucket}/{key}")
        with target.open("wb") as file:
            for chunk in found["Body"].iter_chunks(_CHUNK):
                file.write(chunk)

    _each(get, [key for key in keys if not key.endswith("/")])


def read(s3: Any, uri: str) -> bytes:
    """The content of one object. Raises TransferError."""
    bucket, key = bucket_and_key(uri)
    content: bytes = _allowed(lambda: s3.get_object(Bucket=bucket, Key=key), uri)["Body"].read()
    return content


def upload(s3: Any, files: Mapping[str, Path], bucket: str, encryption: Mapping[str, str]) -> None:
    """Write each file to its key. encryption: PutObject's arguments for it. Raises TransferError."""

    def put(key: str) -> None:
        with files[key].open("rb") as body:
            _allowed(lambda: s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption), f"s3://{bucket}/{key}")

    _each(put, list(files))


def _each(work: Any, keys: list[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for done in [threads.submit(work, key) for key in keys]:
            done.result()


def _allowed(call: Any, what: str) -> Any:
    try:
        return call()
    except ClientError as error:
        answer = error.response["Error"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
        raise TransferError(f"{answer['Code']} ({status}): {answer.get('Message', '')} ({what})") from error
    except BotoCoreError as error:
        raise TransferError(f"{error} ({what})") from error
