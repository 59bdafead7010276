"""Two hosts started by AWS's training toolkit, as SageMaker starts them."""

import gzip
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from safetensors.torch import load_file

from inference.classifier import Classifier
from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from rehearsal.hosts.network import Loopback, Network
from rehearsal.hosts.toolkit import Toolkit, run_toolkit_job
from rehearsal.hosts.training_job import TrainingJob, TrainingJobFailedError, run_training_job
from stacks.training.source_files import FOLDERS, ROOT, pack
from tests.distributed import work
from tests.distributed.dogs import any_photo, write_photos
from tests.distributed.small_network import resnet50, write_weights

pytestmark = pytest.mark.slow

SMALL: dict[str, object] = {"image-size": 32, "batch-size": 8, "learning-rate": 0.01, "weight-decay": 0.01}
RUNS = int(os.environ.get("RUNS", "40"))


@pytest.fixture
def toolkit() -> Toolkit:
    found = Toolkit.find()
    if found is None:
        pytest.skip("AWS's training toolkit is not built: `make toolkit` does it and needs a C compiler.")
    return found


@pytest.fixture(params=["namespaces", "loopback"])
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Network]:
    with ExitStack() as stack:
        try:
            loopback = request.param == "loopback"
            yield Loopback(numeric=True) if loopback else stack.enter_context(Namespaces(tmp_path / "network"))
        except NamespacesRefusedError as error:
            pytest.skip(str(error))


def small_source(folder: Path) -> Path:
    """The source that the deploy uploads, with the script that trains the small network."""
    for name in (*FOLDERS, "tests/distributed"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    (folder / "tests" / "__init__.py").touch()
    shutil.copytree(ROOT / "rehearsal", folder / "rehearsal", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def channels(folder: Path) -> dict[str, Path]:
    weights = folder / "weights"
    if not weights.exists():
        write_photos(folder / "photos")
        weights.mkdir()
        write_weights(weights / "model.safetensors")
    return {"data": folder / "photos", "pretrained": weights}


def small_job(
    folder: Path, toolkit: Toolkit, network: Network, *, env: Mapping[str, str] = {}, **hyperparameters: object
) -> TrainingJob:
    source = folder / "source"
    return run_toolkit_job(
        "tests/distributed/small_train.py",
        toolkit=toolkit,
        source=source if source.exists() else small_source(source),
        job_dir=folder / "job",
        channels=channels(folder),
        hyperparameters={**SMALL, **hyperparameters},
        env=env,
        network=network,
        timeout_s=300,
    )


def test_the_archive_of_the_deploy_trains_on_two_hosts(tmp_path: Path, toolkit: Toolkit, network: Network) -> None:
    """With ResNet50, the requirements in the archive, and hyperparameters as strings."""
    source = tmp_path / "source.tar.gz"
    source.write_bytes(gzip.compress(pack(ROOT)))
    photos = write_photos(tmp_path / "photos", counts={"train": 16, "valid": 3, "test": 3})
    weights = tmp_path / "weights"
    weights.mkdir()
    write_weights(weights / "resnet50.safetensors", resnet50)
    job = run_toolkit_job(
        "training/train.py",
        toolkit=toolkit,
        source=source,
        job_dir=tmp_path / "job",
        channels={"data": photos, "pretrained": weights},
        hyperparameters={"image-size": 32, "epochs": 20, "learning-rate": 0.002, "precision": "fp32"},
        network=network,
        timeout_s=300,
    )
    first, second = ((tmp_path / "job" / "logs" / f"algo-{n}.log").read_text() for n in (1, 2))

    classifier = Classifier(job.model_dir)
    assert classifier.predict(any_photo("Pug", seed=12345))[0].breed == "Pug"
    assert classifier.manifest.training["processes"] == 2
    assert "Invoking TorchDistributed" in first
    assert "stage=start mode=frozen breeds=3 train=48 valid=9 test=9 processes=2" in first
    assert "epoch=" not in second
    assert not any(host.failure.exists() for host in job.hosts)
    if isinstance(network, Namespaces):
        assert "torchrun --nnodes 2 --nproc_per_node 1 --master_addr algo-1" in first
        assert "SM_CHANNEL_DATA=/opt/ml/input/data/data" in first
        assert "sent_bytes_per_step=" in first


@pytest.mark.parametrize("env", [{}, {"LD_PRELOAD": "/libchangehostname.so"}], ids=["", "the image's start script"])
def test_a_host_reports_the_root_cause_of_its_peer(
    tmp_path: Path, toolkit: Toolkit, network: Network, env: dict[str, str]
) -> None:
    """Only rank 0 writes checkpoints, and it fails. torchrun hosts the store, so the reason outlives the process.

    With the image's start script, every process also prints that a library cannot be preloaded.
    """
    reason = "The checkpoint epoch-000001-000000 cannot be written into /dev/null/full"
    with pytest.raises(TrainingJobFailedError, match=f"Training failed on algo-1: {reason}"):
        small_job(tmp_path, toolkit, network, env=env, **{"checkpoint-dir": "/dev/null/full"})
    log = (tmp_path / "job" / "logs" / "algo-1.log").read_text()
    assert ("cannot be preloaded" in log) is bool(env)
    if isinstance(network, Namespaces):  # over loopback the second host's processes get SIGTERM, too
        peer = (tmp_path / "job" / "algo-2" / "output" / "failure").read_text()
        assert f"algo-1 (rank 0): {reason}" in peer


def test_the_start_of_a_job_needs_neither_jq_nor_a_compiler(tmp_path: Path, toolkit: Toolkit, network: Network) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*"):
            if program.name not in ("jq", "cc", "gcc") and not (programs / program.name).is_symlink():
                (programs / program.name).symlink_to(program)
    path = os.pathsep.join(str(each) for each in (Path(sys.executable).parent, toolkit.train.parent, programs))

    job = small_job(tmp_path, toolkit, network, env={"PATH": path}, epochs=2, precision="fp32")

    assert (job.model_dir / "manifest.json").is_file()


def test_two_hosts_train_the_same_weights_as_one_process(tmp_path: Path, toolkit: Toolkit, network: Network) -> None:
    two = small_job(tmp_path, toolkit, network, epochs=5, precision="fp32")
    weights = load_file(two.model_dir / "model.safetensors")
    one = run_training_job(
        [sys.executable, str(ROOT / "tests" / "distributed" / "small_train.py")],
        job_dir=tmp_path / "alone",
        hosts=1,
        channels=channels(tmp_path),
        hyperparameters={**SMALL, "epochs": 5, "precision": "fp32"},
        timeout_s=300,
    )

    assert work.difference(weights, load_file(one.model_dir / "model.safetensors")) <= 1e-5


def test_many_runs_in_a_row_all_succeed(tmp_path: Path, toolkit: Toolkit, network: Network) -> None:
    for run in range(RUNS):
        job = small_job(tmp_path, toolkit, network, epochs=2, precision="fp32")  # raises if a host fails
        print(f"run {run + 1} of {RUNS}: two hosts, {job.seconds:.1f} s", flush=True)
        assert (job.model_dir / "manifest.json").is_file()
