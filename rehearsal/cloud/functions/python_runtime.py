"""What a Python function finds beside its own code: the packages of Lambda's Python runtime, and no others.

The application's environment has many packages that Lambda lacks. A function that imports one of them without having it
in its archive fails here as it does on AWS.
"""

import hashlib
import io
import json
import shutil
import subprocess
import threading
from pathlib import Path

from contract.archive import ArchiveError, Limits, read_zip, unpack
from rehearsal.aws.execution_environment import PYTHON_CLIENT
from rehearsal.aws.runtime_api import FunctionError

PACKAGES = ("awslambdaric", "boto3", "urllib3")
"""With what they need themselves. https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html"""

CODE = Limits(unpacked_bytes=250 * 2**20, members=100_000)
"""Lambda's limit for the files of a function. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

INVALID_ZIP = "InvalidZipFileException"
"""https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""

_LIST = """
import importlib.metadata, json, re, sys

paths, wanted, seen = {}, sys.argv[1:], set()
while wanted:
    name = wanted.pop()
    if name in seen:
        continue
    seen.add(name)
    found = importlib.metadata.distribution(name)
    for file in found.files or ():
        top = file.parts[0]
        if top not in ("..", "__pycache__"):
            paths[top] = str(found.locate_file(top))
    needed = [each for each in found.requires or () if "extra ==" not in each]
    wanted += [re.match(r"[\\w.-]+", each)[0] for each in needed]
print(json.dumps(paths))
"""


class PythonRuntime:
    """The packages and the code of functions, in `folder`. python: the interpreter that runs them."""

    def __init__(self, python: str, folder: Path) -> None:
        self.python = python
        self._folder = folder
        self._lock = threading.Lock()
        self._packages: Path | None = None

    def command(self, handler: str) -> list[str]:
        """Run AWS's runtime client. Without `site` the interpreter finds the folders of `path` and nothing else."""
        return [self.python, "-S", "-m", "awslambdaric", handler]

    def path(self, task_root: Path) -> list[Path]:
        """The folders of PYTHONPATH, in Lambda's order: the function's own code first."""
        return [task_root, self.packages()]

    def packages(self) -> Path:
        """A folder with links to the packages."""
        with self._lock:
            if self._packages is None:
                self._packages = self._link_packages()
            return self._packages

    def _link_packages(self) -> Path:
        command = [self.python, "-c", _LIST, *PACKAGES]
        listed = subprocess.run(command, capture_output=True, text=True, check=True)
        folder = self._folder / "runtime"
        folder.mkdir(parents=True)
        paths: dict[str, str] = json.loads(listed.stdout)
        for name, target in paths.items():
            (folder / name).symlink_to(target)
        if not any(name.startswith("runtime_client.") for name in paths):
            (folder / "runtime_client.py").symlink_to(PYTHON_CLIENT / "runtime_client.py")
        return folder

    def task_root(self, code: bytes) -> Path:
        """A folder with the files of an archive. Functions with the same archive share it.

        Raises FunctionError for an archive that contract/archive.py refuses.
        """
        folder = self._folder / "code" / hashlib.sha256(code).hexdigest()[:32]
        with self._lock:
            if not folder.exists():
                unpacked = folder.with_suffix(".part")
                shutil.rmtree(unpacked, ignore_errors=True)
                try:
                    unpack(read_zip(io.BytesIO(code), CODE), unpacked)
                except ArchiveError as error:
                    raise FunctionError(INVALID_ZIP, f"Lambda could not unzip the package: {error}") from error
                unpacked.rename(folder)
        return folder
