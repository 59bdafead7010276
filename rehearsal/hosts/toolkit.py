"""Run a training job with AWS's training toolkit, the program that SageMaker starts in the training container.

    with Namespaces(Path("build/network")) as network:
        job = run_toolkit_job("training/train.py", source=Path("source.tar.gz"), job_dir=Path("build/job"), ...)

The hosts run the entry point that a deploy gives the job (contract/training_container.py). As on SageMaker, its command
`train` unpacks the source into /opt/ml/code, installs the requirements.txt in it, sets the SM_* variables and starts
torchrun. The toolkit has a virtual environment of its own (`make toolkit`), since it is published as source with a part
in C; torchrun and the program run in the current environment.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contract.training_container import ARGUMENTS, ENTRY_POINT
from rehearsal.hosts.network import Host, Loopback, Network
from rehearsal.hosts.toolkit_variables import threads_of_each
from rehearsal.hosts.training_job import Start, TrainingJob, supervise

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-toolkit"


@dataclass(frozen=True, slots=True)
class Toolkit:
    """The installed toolkit."""

    train: Path
    """Path of its command `train`."""

    @staticmethod
    def find(environment: Path = ENVIRONMENT) -> "Toolkit | None":
        """The toolkit that `make toolkit` installed, or None."""
        train = environment / "bin" / "train"
        return Toolkit(train) if train.exists() else None


def run_toolkit_job(
    program: str,
    *,
    toolkit: Toolkit,
    source: Path,
    job_dir: Path,
    hosts: int = 2,
    channels: Mapping[str, Path] | None = None,
    hyperparameters: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float = 3600.0,
    network: Network | None = None,
) -> TrainingJob:
    """Run `program` with torchrun on each host, as SageMaker does. `source` is the archive or folder that contains it.

    Other arguments and errors as in `run_training_job`. The default network is loopback with numeric names, since the
    toolkit resolves the hosts' names. Only one such job can run at a time, since torchrun's port is fixed.
    """
    network = network or Loopback(numeric=True)
    job_dir = job_dir.resolve()
    all_hosts = tuple(Host(rank, job_dir / f"algo-{rank + 1}") for rank in range(hosts))
    parameters = {
        "sagemaker_program": program,
        "sagemaker_submit_directory": str(source.resolve()),
        "sagemaker_torch_distributed_enabled": "true",
        "sagemaker_region": "us-east-1",
        "sagemaker_container_log_level": "20",
        **{name: str(value) for name, value in (hyperparameters or {}).items()},
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SM_", "SAGEMAKER_"))}
    variables = {
        **inherited,
        "SAGEMAKER_TRAINING_MODULE": "sagemaker_pytorch_container.training:main",
        "AWS_REGION": "us-east-1",
        # finds torchrun in the current environment, and `train` in that of the toolkit
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), str(toolkit.train.parent), os.environ.get("PATH", os.defpath)]
        ),
        "OMP_NUM_THREADS": threads_of_each(hosts),
        **(env or {}),
    }
    return supervise(
        all_hosts,
        lambda _: Start([*ENTRY_POINT, *ARGUMENTS], variables),
        job_dir=job_dir,
        network=network,
        channels={name: folder.resolve() for name, folder in (channels or {}).items()},
        hyperparameters=parameters,
        on_line=on_line,
        timeout_s=timeout_s,
    )
