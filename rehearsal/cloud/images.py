"""Which command an image URI stands for: a container's program, run as a process of this machine.

    [[image]]
    uri = "*/pytorch-training:*"                 # as in fnmatch
    train = ["/bin/bash", "-c", "exec train"]    # what the image's own entry point is

    [[image]]
    uri = "*/echo:*"
    serve = ["{python}", "-m", "echo", "--model-dir", "{model}", "--port", "{port}"]
    process = ["/usr/bin/env", "PYTHONPATH={folder}"]    # before the entry point of a processing job's request

`{python}` is the Python of the application's environment, `{folder}` the folder of the TOML file. A server gets
`{model}`, the folder with the unpacked artifact, and `{port}`.
"""

import os
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from rehearsal.cloud.api import AwsError


def application_python() -> str:
    """The Python of the application's environment."""
    return os.environ.get("REHEARSAL_PYTHON", sys.executable)


def filled(command: Iterable[str], **values: str) -> list[str]:
    """A command with the values of its placeholders: `{port}` is the value of `port`."""
    words = []
    for word in command:
        for name, value in values.items():
            word = word.replace(f"{{{name}}}", value)
        words.append(word)
    return words


@dataclass(frozen=True, slots=True)
class Image:
    """The commands of an image. Empty: the image has none.

    process: what starts the entry point that a processing job's request names, with what the image sets.
    """

    uri: str
    train: tuple[str, ...] = ()
    serve: tuple[str, ...] = ()
    process: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Images:
    """The images that can be run."""

    known: tuple[Image, ...]
    folder: Path

    @staticmethod
    def read(file: Path) -> "Images":
        """Read a TOML file."""
        tables = tomllib.loads(file.read_text(encoding="utf-8"))["image"]
        known = [
            Image(each["uri"], **{kind: tuple(each.get(kind, ())) for kind in ("train", "serve", "process")})
            for each in tables
        ]
        return Images(tuple(known), file.resolve().parent)

    def find(self, uri: str) -> Image:
        """The image of this URI. Raises AwsError, as SageMaker does for an image that cannot be pulled."""
        for image in self.known:
            if fnmatchcase(uri, image.uri):
                return image
        raise AwsError("ValidationException", f"No command is known for the image {uri}; add it to the images file.")
