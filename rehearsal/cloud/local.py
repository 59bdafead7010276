"""Start a local AWS and end it: the engine's process, its keys, and the variables by which clients find it.

with LocalAws(Path("build/aws"), images=Path("images.toml")) as aws:
    subprocess.run(["cdk", "deploy"], env={**os.environ, **aws.variables})
"""

import http.client
import secrets
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.cloud.environment import EngineSettings
from rehearsal.processes import ProcessGroup, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = REPOSITORY / ".venv-engine" / "bin" / "python"
NODE_PACKAGES = Path(__file__).parent / "node" / "node_modules"
START_S = 60


class LocalAws:
    """A local AWS that runs while the `with` block does.

    folder: is emptied at the start. images: the TOML file that images.py reads. speed: see clock.py.
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
    ) -> None:
        self.folder = folder.resolve()
        self._images = images.resolve()
        self._speed = speed
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
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("tmp", "cdk", "logs"):
            (self.folder / name).mkdir(parents=True)
        self._group.__enter__()
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self) -> None:
        command = [
            str(PYTHON), "-m", "rehearsal.cloud", "--url", self.url, "--folder", str(self.folder),
            "--images", str(self._images), "--speed", str(self._speed),
        ]  # fmt: skip
        variables = {**self.settings.variables(), "PYTHONPATH": str(REPOSITORY), "REHEARSAL_PYTHON": sys.executable}
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
        self._group.__exit__(kind, error, traceback)
