"""A SageMaker training job on one machine: one process for each host.

    job = run_training_job(
        [sys.executable, "-m", "training.train", "--epochs", "3"],
        job_dir=Path("build/job"), channels={"data": Path("photos")}, on_line=print,
    )
    job.model_dir  # what SageMaker would put into model.tar.gz

Each host has a folder that it uses as /opt/ml, and the variables that SageMaker's toolkit and torchrun set. On
loopback, the default, the folder is in SAGEMAKER_BASE_DIR, which AWS's toolkits read as well. With `namespaces.py` a
host also has SageMaker's real paths, name and network interface; `toolkit.py` starts it with AWS's toolkit.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.hosts.configuration import FILE_CHANNEL, resource_config, write_configuration
from rehearsal.hosts.network import Host, Loopback, Network
from rehearsal.hosts.toolkit_variables import toolkit_variables, torchrun_variables
from rehearsal.processes import Child, ProcessFailedError, ProcessGroup, free_port

FAILURE_CHARACTERS = 1024
"""SageMaker's FailureReason shows at most this much of one host's output/failure."""


class TrainingJobFailedError(RuntimeError):
    """The job failed. The message names the host with the root cause and quotes its error."""


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
    network: Network | None = None,
) -> TrainingJob:
    """Run `command` once on each host and wait until all have ended with exit code 0.

    command: a word that begins with /opt/ml means the host's own folder, as in `--checkpoint-dir /opt/ml/checkpoints`.
    job_dir: gets `algo-N/` for each host, `logs/` and, at the end, `model/`.
    channels: name -> folder, the same on every host (FullyReplicated, File mode).
    hyperparameters: passed as strings, as on SageMaker: `--name value` after the command, sorted, and SM_HP_*.
    env: added to this process's environment. source_dir: the working directory, as /opt/ml/code.
    on_line: called in this thread with each log line of the first host while the job runs.
    network: an entered network between the hosts; None means loopback.

    Raises TrainingJobFailedError if a host fails (the others are then ended, as on SageMaker), if the job takes longer
    than `timeout_s`, or if two hosts write the same file into their model folders.
    """
    network = network or Loopback()
    folders = {name: folder.resolve() for name, folder in (channels or {}).items()}
    parameters = {name: str(value) for name, value in sorted((hyperparameters or {}).items())}
    arguments = [word for name, value in parameters.items() for word in (f"--{name}", value)]
    all_hosts = tuple(Host(rank, job_dir.resolve() / f"algo-{rank + 1}") for rank in range(hosts))
    port = free_port()

    def start(host: Host) -> Start:
        seen = {name: network.channel(host, name, folder) for name, folder in folders.items()}
        resources = resource_config(all_hosts, host, network)
        master = network.address(all_hosts[0])
        environment = {
            **os.environ,
            **torchrun_variables(rank=host.rank, hosts=hosts, master=master, port=port),
            **toolkit_variables(network.base(host), resources, seen, parameters),
            **(env or {}),
        }
        return Start([*command, *arguments], environment, source_dir)

    return supervise(
        all_hosts,
        start,
        job_dir=job_dir.resolve(),
        network=network,
        channels=folders,
        hyperparameters=parameters,
        on_line=on_line,
        timeout_s=timeout_s,
    )


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a host's process: the command, its environment and its working directory."""

    words: Sequence[str]
    env: Mapping[str, str]
    folder: Path | None = None


def supervise(
    hosts: tuple[Host, ...],
    start: Callable[[Host], Start],
    *,
    job_dir: Path,
    network: Network,
    channels: Mapping[str, Path],
    hyperparameters: Mapping[str, str],
    on_line: Callable[[str], None] | None,
    timeout_s: float,
) -> TrainingJob:
    """Prepare each host's folders and input/config/*.json, start the hosts, wait for them and merge their models.

    Raises the same errors as `run_training_job`.
    """
    started = time.monotonic()
    with ProcessGroup(job_dir / "logs") as group:
        children: list[Child] = []
        for host in hosts:
            host.prepare()
            write_configuration(
                host,
                resources=resource_config(hosts, host, network),
                channels=dict.fromkeys(channels, FILE_CHANNEL),
                hyperparameters=hyperparameters,
            )
            process = start(host)
            words = network.command(host, process.words, list(channels.items()))
            listener = on_line if host.rank == 0 else None
            env = {**process.env, **network.environment(host), "TRAINING_JOB_NAME": job_dir.name}
            children.append(group.start(host.name, words, env=env, cwd=process.folder, on_line=listener))
        try:
            group.wait(timeout_s=timeout_s)
        except ProcessFailedError as error:
            raise TrainingJobFailedError(_root_cause(hosts, children, str(error))) from error
    return TrainingJob(hosts, _merged_model(hosts, job_dir / "model"), time.monotonic() - started)


def find_root_cause(hosts: Sequence[Host], children: Sequence[Child]) -> tuple[Host, Child] | None:
    """The host that failed first, with its process; None if no host failed by itself.

    Its peers fail too ("connection closed by peer", or gloo's SIGABRT), and may even end before it. The root cause is
    in a host that another signal killed, else in the one that wrote its failure file first, else in the first to fail.
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
    return (killed or wrote or failed)[0] if failed else None


def _root_cause(hosts: Sequence[Host], children: Sequence[Child], otherwise: str) -> str:
    """The error message of the host that failed first."""
    found = find_root_cause(hosts, children)
    if found is None:
        return f"Training failed: {otherwise}"
    cause, child = found
    failed = [(host, its) for host, its in zip(hosts, children, strict=True) if its.failed_by_itself]
    others = "".join(f"\n{peer.name} ended with {its.how_it_ended()}." for peer, its in failed if peer != cause)
    if cause.failure.is_file():
        reason = cause.failure.read_text(errors="replace").strip()[:FAILURE_CHARACTERS]
        return f"Training failed on {cause.name}: {reason}\nThe log of {cause.name} is {child.log}.{others}"
    return f"Training failed on {cause.name}, which ended with {child.how_it_ended()}. {child.last_lines()}{others}"


def _merged_model(hosts: Sequence[Host], target: Path) -> Path:
    """Merge the model folders. SageMaker silently overwrites a file that two hosts wrote; here it is an error."""
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
