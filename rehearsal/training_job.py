"""A SageMaker training job on one machine: one process for each host, over the loopback interface.

    job = run_training_job(
        [sys.executable, "-m", "training.train", "--epochs", "3"],
        job_dir=Path("build/job"), channels={"data": Path("photos")}, on_line=print,
    )
    job.model_dir  # what SageMaker would put into model.tar.gz

Each host has its own folder in place of /opt/ml (SAGEMAKER_BASE_DIR names it, as for AWS's toolkits) and the variables
that the toolkit and torchrun set. What differs from SageMaker: one machine, the loopback interface, no instance type.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.processes import Child, ProcessFailedError, ProcessGroup, free_port

FAILURE_CHARACTERS = 1024
"""SageMaker's FailureReason shows this much of one host's output/failure."""


class TrainingJobFailedError(RuntimeError):
    """The job failed. The message names the host that caused it, and says what that host said."""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the job: its name, its rank, and its folder in place of /opt/ml."""

    rank: int
    base: Path

    @property
    def name(self) -> str:
        return f"algo-{self.rank + 1}"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        return self.base / "output" / "data"

    @property
    def failure(self) -> Path:
        return self.base / "output" / "failure"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    @property
    def config(self) -> Path:
        return self.base / "input" / "config"

    def own(self, word: str) -> str:
        """The word, with a leading /opt/ml replaced by this host's folder."""
        return str(self.base) + word.removeprefix("/opt/ml") if word.startswith("/opt/ml") else word

    def prepare(self) -> None:
        """Fresh folders; checkpoints stay, as those in S3 do when a job is started again."""
        for folder in (self.model, self.base / "output", self.base / "input"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.model, self.output_data, self.checkpoints, self.config):
            folder.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A job that has completed."""

    hosts: tuple[Host, ...]
    model_dir: Path
    """The model folders of all hosts, merged."""
    seconds: float


def run_training_job(
    command: Sequence[str],
    *,
    job_dir: Path,
    hosts: int = 2,
    channels: Mapping[str, Path] | None = None,
    hyperparameters: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    source_dir: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float = 3600.0,
) -> TrainingJob:
    """Run `command` once on each host and wait until all have ended with 0.

    command: a word that begins with /opt/ml means the host's own folder, as in `--checkpoint-dir /opt/ml/checkpoints`.
    job_dir: holds `algo-N/` for each host, `logs/` and, in the end, `model/`.
    channels: name -> folder, the same on every host (FullyReplicated, File mode).
    hyperparameters: passed as SageMaker does, as strings: `--name value` after the command, in name order, and SM_HP_*.
    env: added to this process's environment. source_dir: the working directory, as /opt/ml/code.
    on_line: gets the log lines of the first host while the job runs, in the caller's thread.

    Raises TrainingJobFailedError when a host fails (the others are then ended, as on SageMaker), when the job is not
    done in `timeout_s`, or when two hosts wrote the same file into their model folders.
    """
    started = time.monotonic()
    job_dir = job_dir.resolve()
    parameters = {name: str(value) for name, value in sorted((hyperparameters or {}).items())}
    arguments = [word for name, value in parameters.items() for word in (f"--{name}", value)]
    all_hosts = tuple(Host(rank, job_dir / f"algo-{rank + 1}") for rank in range(hosts))
    port = free_port()
    with ProcessGroup(job_dir / "logs") as group:
        children: list[Child] = []
        for host in all_hosts:
            host.prepare()
            settings = _input_config(all_hosts, host, channels or {}, parameters)
            environment = {**os.environ, **_process_env(all_hosts, host, port), **settings, **(env or {})}
            listener = on_line if host.rank == 0 else None
            words = [host.own(word) for word in command] + arguments
            children.append(group.start(host.name, words, env=environment, cwd=source_dir, on_line=listener))
        try:
            group.wait(timeout_s=timeout_s)
        except ProcessFailedError as error:
            raise TrainingJobFailedError(_what_failed(all_hosts, children, str(error))) from error
    return TrainingJob(all_hosts, _merged_model(all_hosts, job_dir / "model"), time.monotonic() - started)


def _process_env(hosts: Sequence[Host], host: Host, port: int) -> dict[str, str]:
    """What torchrun sets for the one process of this host, and what keeps the hosts out of each other's way."""
    cores = os.cpu_count() or 1
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    return {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(len(hosts)),
        "RANK": str(host.rank),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "OMP_NUM_THREADS": str(max(1, cores // len(hosts))),
        **loopback,
    }


def _input_config(
    hosts: Sequence[Host], host: Host, channels: Mapping[str, Path], parameters: Mapping[str, str]
) -> dict[str, str]:
    """Write input/config/*.json and return the toolkit's SM_* variables, which say the same."""
    names = [each.name for each in hosts]
    folders = {name: str(folder.resolve()) for name, folder in channels.items()}
    resources = {"current_host": host.name, "hosts": names, "network_interface_name": "lo"}
    data_config = {
        name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
        for name in folders
    }
    for file, content in (
        ("resourceconfig.json", resources),
        ("inputdataconfig.json", data_config),
        ("hyperparameters.json", parameters),
    ):
        (host.config / file).write_text(json.dumps(content))
    return {
        "SAGEMAKER_BASE_DIR": str(host.base),
        "TRAINING_JOB_NAME": host.base.parent.name,
        "SM_HOSTS": json.dumps(names),
        "SM_CURRENT_HOST": host.name,
        "SM_NETWORK_INTERFACE_NAME": "lo",
        "SM_RESOURCE_CONFIG": json.dumps(resources),
        "SM_NUM_GPUS": "0",
        "SM_NUM_CPUS": str(os.cpu_count() or 1),
        "SM_MODEL_DIR": str(host.model),
        "SM_OUTPUT_DIR": str(host.base / "output"),
        "SM_OUTPUT_DATA_DIR": str(host.output_data),
        "SM_INPUT_DIR": str(host.base / "input"),
        "SM_INPUT_CONFIG_DIR": str(host.config),
        "SM_CHANNELS": json.dumps(sorted(folders)),
        "SM_HPS": json.dumps(dict(parameters)),
        **{f"SM_CHANNEL_{_variable(name)}": folder for name, folder in folders.items()},
        **{f"SM_HP_{_variable(name)}": value for name, value in parameters.items()},
    }


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _what_failed(hosts: Sequence[Host], children: Sequence[Child], otherwise: str) -> str:
    """The guilty host's own words.

    An innocent host fails too ("connection closed by peer", or gloo's SIGABRT), and may even end first. Guilty is a
    host killed by any other signal, else the one that wrote its failure file first, else the first that failed.
    """
    pairs = list(zip(hosts, children, strict=True))
    failed = [(host, child) for host, child in pairs if child.failed_by_itself]
    killed = [
        (host, child) for host, child in failed if (child.exit_code() or 0) < 0 and child.exit_code() != -signal.SIGABRT
    ]
    wrote = sorted(
        ((host, child) for host, child in pairs if host.failure.is_file()),
        key=lambda pair: pair[0].failure.stat().st_mtime_ns,
    )
    if not failed:
        return f"Training failed: {otherwise}"
    guilty, child = (killed or wrote or failed)[0]
    others = "".join(f"\n{other.name} ended with {its.how_it_ended()}." for other, its in failed if other != guilty)
    if guilty.failure.is_file():
        reason = guilty.failure.read_text(errors="replace").strip()[:FAILURE_CHARACTERS]
        return f"Training failed on {guilty.name}: {reason}\nThe log of {guilty.name} is {child.log}.{others}"
    return f"Training failed on {guilty.name}, which ended with {child.how_it_ended()}. {child.last_lines()}{others}"


def _merged_model(hosts: Sequence[Host], target: Path) -> Path:
    """SageMaker merges the model folders and lets one host's file overwrite another's in silence; here that fails."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    owner: dict[Path, Host] = {}
    for host in hosts:
        for file in sorted(path for path in host.model.rglob("*") if path.is_file()):
            name = file.relative_to(host.model)
            if name in owner:
                raise TrainingJobFailedError(
                    f"{owner[name].name} and {host.name} both wrote {name} into SM_MODEL_DIR, where one would "
                    "overwrite the other on SageMaker: let only global rank 0 write there."
                )
            owner[name] = host
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / name)
    return target
