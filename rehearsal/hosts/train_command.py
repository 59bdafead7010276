"""A stand-in for `train`, the command of SageMaker's training toolkit, where the toolkit is not built.

    PYTHONPATH=... python -m rehearsal.hosts.train_command

It does what the toolkit does for a script: it downloads `sagemaker_submit_directory` with the job's own credentials,
unpacks it into /opt/ml/code, sets the SM_* variables and, for a distributed job, torchrun's, and runs
`sagemaker_program` with the other hyperparameters as options. It does not install the source's requirements.txt: the
program runs with the packages of this machine.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from contract.archive import Limits, read_tar_gz
from contract.archive import unpack as unpack_members
from contract.text import indented, printable
from rehearsal.hosts.network import OPT_ML
from rehearsal.hosts.toolkit_variables import toolkit_variables, torchrun_variables

PREFIX = "sagemaker_"
SOURCE = Limits(unpacked_bytes=2**32, members=100_000)
TORCHRUN_PORT = 7777
"""The port that the toolkit gives to torchrun."""


def main() -> int:
    """Run the program. Returns its exit code."""
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", OPT_ML))
    hyperparameters = {name: decoded(value) for name, value in _read(base, "hyperparameters.json").items()}
    try:
        program, folder = hyperparameters[f"{PREFIX}program"], base / "code"
        unpack(hyperparameters.get(f"{PREFIX}submit_directory", ""), folder)
        environment = {**os.environ, **variables(base, hyperparameters), "PYTHONPATH": str(folder)}
        command = [*interpreter(program), *options(hyperparameters)]
    except Exception as error:
        return _failed(base, f"{type(error).__name__}: {error}")
    if (folder / "requirements.txt").exists():
        print("requirements.txt is not installed: the program runs with this machine's packages.", flush=True)
    print(f"Invoking script: {printable(' '.join(command))}", flush=True)
    # the group of processes gets SIGTERM, the program too, so this one only waits for its end
    signal.signal(signal.SIGTERM, lambda *_: None)
    code = subprocess.run(command, env=environment, cwd=folder, check=False).returncode
    if code and not (base / "output" / "failure").exists():
        _failed(base, f'ExecuteUserScriptError:\nExitCode {code}\nCommand "{" ".join(command)}"')
    return code if code >= 0 else 128 - code


def decoded(value: str) -> Any:
    """A hyperparameter as the toolkit reads it: JSON where it is JSON, and a text otherwise."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def options(hyperparameters: Mapping[str, Any]) -> list[str]:
    """`--name value` for each hyperparameter that is not the toolkit's own, sorted; `-n value` for a single letter."""
    own = sorted((name, value) for name, value in hyperparameters.items() if not name.startswith(PREFIX))
    return [word for name, value in own for word in (f"-{name}" if len(name) == 1 else f"--{name}", _text(value))]


def interpreter(program: str) -> list[str]:
    """How to start a program: Python for a .py file, a shell for another file."""
    return [sys.executable, program] if program.endswith(".py") else ["/bin/sh", "-c", f'./{program} "$@"', program]


def variables(base: Path, hyperparameters: Mapping[str, Any]) -> dict[str, str]:
    """SM_*, and torchrun's where `sagemaker_torch_distributed_enabled` is true."""
    resources = _read(base, "resourceconfig.json")
    hosts = resources["hosts"]
    channels = {name: base / "input" / "data" / name for name in _read(base, "inputdataconfig.json")}
    parameters = {name: _text(value) for name, value in hyperparameters.items() if not name.startswith(PREFIX)}
    found = toolkit_variables(base, resources, channels, parameters)
    if hyperparameters.get(f"{PREFIX}torch_distributed_enabled") is True:
        found |= torchrun_variables(
            rank=hosts.index(resources["current_host"]),
            hosts=len(hosts),
            master=os.environ.get("MASTER_ADDR", hosts[0]),
            port=int(os.environ.get("MASTER_PORT", TORCHRUN_PORT)),
        )
    return found


def unpack(source: str, folder: Path) -> None:
    """Unpack an archive, from S3 or of this machine, into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not source:
        return
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "source.tar.gz"
        uri = urlsplit(source)
        if uri.scheme == "s3":
            _download(uri.netloc, uri.path.lstrip("/"), archive)
        else:
            archive = Path(source)
        with archive.open("rb") as packed:
            unpack_members(read_tar_gz(packed, SOURCE), folder)


def _download(bucket: str, key: str, target: Path) -> None:
    import botocore.session  # only here: a source of this machine needs no SDK

    s3: Any = botocore.session.get_session().create_client("s3")
    found = s3.get_object(Bucket=bucket, Key=key)
    with target.open("wb") as file:
        for chunk in found["Body"].iter_chunks(1 << 20):
            file.write(chunk)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={_text(each)}" for name, each in sorted(value.items()))
    return str(value)


def _read(base: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((base / "input" / "config" / name).read_text())
    return found


def _failed(base: Path, reason: str) -> int:
    (base / "output" / "failure").write_text(reason)
    print(indented(reason), file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
