"""Download published weights, once for each user of a machine. It imports only the standard library.

The copy is where torch.hub would put it.
"""

import hashlib
import os
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.request import Request, urlopen

from contract.weights import PublishedWeights
from training.log import emit
from training.model.weights_file import WeightsError

STALLED_S = 60
"""A download that receives nothing for this long fails: the other hosts wait at most 120 s for this one."""

_AT_ONCE = 2**20

Progress = Callable[[int, int], None]
"""(done, total) in bytes. total is 0 if the server does not say it."""


def downloaded(
    published: PublishedWeights, progress: Progress | None = None, *, stalled_s: float | None = None
) -> Path:
    """The copy of a published file. It is downloaded if there is none, or one with another checksum.

    progress: called in this thread. Without it, a line of the training log says that the download begins.
    stalled_s: how long the download may receive nothing; STALLED_S by default.
    Raises WeightsError if the file cannot be downloaded, or is another one.
    """
    path = place(published)
    try:
        if is_copy(path, published):
            return path
        if progress is None:
            emit(stage="weights", download=published.url)
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(published, path, progress, stalled_s or STALLED_S)
    except (OSError, HTTPException, WeightsError) as error:  # no network, no space on the disk, another content
        raise WeightsError(
            f"The ImageNet weights could not be downloaded from {published.url} ({error}); download the file on "
            "another machine, and name it: --pretrained FILE in a training, `kennel weights upload FILE` for a deploy."
        ) from error
    return path


def place(published: PublishedWeights) -> Path:
    """Where the copy of a published file is, or will be."""
    return cache() / f"{published.name}-{published.sha256[:8]}.safetensors"


def is_copy(path: Path, published: PublishedWeights) -> bool:
    """Whether the file exists and has the published content."""
    return path.is_file() and _sha256(path) == published.sha256


def cache() -> Path:
    """The folder of torch.hub's downloads: https://docs.pytorch.org/docs/stable/hub.html"""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def _download(published: PublishedWeights, path: Path, progress: Progress | None, stalled_s: float) -> None:
    """To a temporary name, checked, then renamed: two processes of a host do not disturb each other."""
    digest, done = hashlib.sha256(), 0
    request = Request(published.url, headers={"User-Agent": "kennel"})  # noqa: S310 - the URL is a constant
    with urlopen(request, timeout=stalled_s) as answer:  # noqa: S310
        total = int(answer.headers["Content-Length"] or 0)
        with NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", suffix=".partial", delete=False) as part:
            try:
                while chunk := answer.read(_AT_ONCE):
                    part.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    if progress:
                        progress(done, total)
                _check(published, digest.hexdigest(), done, total)
                part.flush()
                Path(part.name).chmod(0o644)
                Path(part.name).replace(path)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise


def _check(published: PublishedWeights, digest: str, done: int, total: int) -> None:
    if done < total:
        raise WeightsError(f"the connection ended after {done} of {total} bytes")
    if digest != published.sha256:
        raise WeightsError(f"its SHA-256 is {digest}, not {published.sha256}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
