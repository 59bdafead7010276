"""Every way to start a training ends with an artifact that serving loads and that recognises the breeds."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contract.training_metrics import METRIC_DEFINITIONS, METRIC_NAMES
from inference.classifier import Classifier
from rehearsal.hosts.training_job import run_training_job
from tests.distributed.dogs import COUNTS, any_photo, write_photos
from tests.distributed.small_network import resnet50, write_weights

ROOT = Path(__file__).resolve().parents[2]
SMALL_TRAIN = [sys.executable, str(ROOT / "tests" / "distributed" / "small_train.py")]
SMALL = {"image-size": 32, "batch-size": 8}


def assert_serves(model_dir: Path, *, breeds: int = 3) -> Classifier:
    classifier = Classifier(model_dir)
    assert classifier.labels == ("Beagle", "Collie", "Pug", "Saluki")[:breeds]
    for breed in classifier.labels:
        predictions = classifier.predict(any_photo(breed, seed=12345))
        assert predictions[0].breed == breed
        assert sum(prediction.probability for prediction in predictions) == pytest.approx(1, abs=1e-4)
    return classifier


def run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, timeout=400, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def test_two_hosts_of_a_training_job(tmp_path: Path) -> None:
    """Input is given as SageMaker gives it: variables, channels, and hyperparameters as strings."""
    (tmp_path / "weights").mkdir()
    write_weights(tmp_path / "weights" / "model.safetensors")
    job = run_training_job(
        SMALL_TRAIN,
        job_dir=tmp_path / "job",
        channels={"data": write_photos(tmp_path / "photos"), "pretrained": tmp_path / "weights"},
        hyperparameters={**SMALL, "epochs": 20, "learning-rate": 0.01, "weight-decay": 0.01},
        timeout_s=300,
    )
    log = (tmp_path / "job" / "logs" / "algo-1.log").read_text()
    other = (tmp_path / "job" / "logs" / "algo-2.log").read_text()
    manifest = assert_serves(job.model_dir).manifest

    assert other == ""
    assert "processes=2" in log
    assert (job.hosts[0].checkpoints / manifest.training["run"]).is_dir()
    assert not any(job.hosts[1].checkpoints.iterdir())
    assert not any(host.failure.exists() for host in job.hosts)
    # what the metric definitions of the stack find in the log
    found = {name: re.findall(expression, log) for name, expression in METRIC_DEFINITIONS.items()}
    each_epoch = {"train:loss": 20, "validation:loss": 21, "validation:accuracy": 21, "validation:calibrated_loss": 21}
    # The last line has them once more, for the best epoch; all other metrics are in the last line only.
    assert {name: len(values) for name, values in found.items()} == {
        **dict.fromkeys(METRIC_DEFINITIONS, 1),
        **each_epoch,
    }
    last = log.splitlines()[-1]
    assert re.match(r"epoch=\d+ valid_loss=.* test_loss=.* test_accuracy=.* served_test_accuracy=.* precision=", last)
    metrics = manifest.training["metrics"]
    for name in METRIC_NAMES.keys() - {"train_loss"}:
        assert f" {name}={metrics[name]:.4f}" in last
    # with the temperature of `valid`, which is far from 1 for three photos per breed, test is calibrated differently
    assert abs(metrics["temperature"] - 1) > 0.1
    assert abs(metrics["test_ece_before"] - metrics["test_ece"]) > 0.001
    page = (job.hosts[0].output_data / "report" / "index.html").read_text()
    assert manifest.id in page
    assert not (job.hosts[1].output_data / "report").exists()
    assert {row["name"] for row in manifest.training["test"]["breeds"]} == {"Beagle", "Collie", "Pug"}
    assert manifest.training["processes"] == 2
    assert manifest.training["photos"] == {split: 3 * count for split, count in COUNTS.items()}
    assert manifest.training["hyperparameters"]["epochs"] == 20


@pytest.mark.slow
def test_the_solution_trains_on_the_udacity_layout_from_any_folder(tmp_path: Path) -> None:
    write_photos(tmp_path / "dogImages", breeds=2, prefixes=True)
    weights = write_weights(tmp_path / "weights.safetensors", resnet50)
    (tmp_path / "solution.py").symlink_to(ROOT / "training" / "solution.py")  # as on the training host
    options = ["--pretrained", str(weights), "--image-size", "32", "--epochs", "20", "--precision", "fp32"]
    run(sys.executable, "solution.py", *options, "--learning-rate", "0.01", cwd=tmp_path)

    assert_serves(tmp_path / "TrainedModels", breeds=2)
    assert any((tmp_path / "TrainedModels" / "checkpoints").glob("*/epoch-*.safetensors"))
    assert (tmp_path / "TrainedModels" / "report" / "index.html").is_file()


def test_the_solution_says_where_to_get_the_photos(tmp_path: Path) -> None:
    solution = str(ROOT / "training" / "solution.py")
    ended = subprocess.run([sys.executable, solution], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "dogImages.zip" in ended.stderr
    assert "aws s3 sync" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not any(tmp_path.iterdir())


def test_the_solution_names_the_missing_package(tmp_path: Path) -> None:
    (tmp_path / "dogImages").mkdir()
    solution = ROOT / "training" / "solution.py"
    bare = [sys.executable, "-S", str(solution)]  # without site-packages: no torch, no numpy
    ended = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "kennel-code" in ended.stderr
    assert str(ROOT / "training" / "requirements-host.txt") in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_one_process_of_the_module(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", counts={"train": 16, "valid": 3, "test": 3})
    weights = write_weights(tmp_path / "weights.safetensors", resnet50)
    options = ["--data", str(photos), "--model-dir", str(tmp_path / "model"), "--pretrained", str(weights)]
    small = ["--image-size", "32", "--epochs", "20", "--learning-rate", "0.002"]
    run(sys.executable, "-m", "training.train", *options, *small, cwd=ROOT)

    assert_serves(tmp_path / "model")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_two_processes_of_torchrun(tmp_path: Path, mode: str) -> None:
    photos = write_photos(tmp_path / "photos", counts={"train": 16, "valid": 3, "test": 3})
    weights = write_weights(tmp_path / "weights.safetensors", resnet50) if mode == "frozen" else "none"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    script = str(ROOT / "training" / "train.py")
    options = ["--data", str(photos), "--model-dir", str(tmp_path / "model"), "--pretrained", str(weights)]
    small = ["--mode", mode, "--image-size", "32", "--epochs", "12", "--learning-rate", "0.002", "--batch-size", "16"]
    ended = run(*torchrun, "--standalone", script, *options, *small, cwd=tmp_path)

    assert_serves(tmp_path / "model")
    assert "processes=2" in ended.stdout


@pytest.mark.slow
def test_sagemakers_variables_are_enough(tmp_path: Path) -> None:
    """Without any option: all defaults, with ResNet50 at full size."""
    channel = tmp_path / "weights"
    channel.mkdir()
    write_weights(channel / "resnet50.safetensors", resnet50)
    job = run_training_job(
        [sys.executable, "-m", "training.train"],
        source_dir=ROOT,
        job_dir=tmp_path / "job",
        channels={"data": write_photos(tmp_path / "photos"), "pretrained": channel},
        timeout_s=400,
    )

    assert Classifier(job.model_dir).labels == ("Beagle", "Collie", "Pug")
    assert json.loads((job.model_dir / "manifest.json").read_text())["training"]["hyperparameters"]["epochs"] == 20
