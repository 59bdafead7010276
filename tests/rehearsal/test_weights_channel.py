"""A rehearsed job gets its weights as a deployed one: in a channel, a folder with one file."""

import json
from pathlib import Path

import pytest

from contract.weights import PublishedWeights
from inference.artifact import sha256
from ops.rehearse.plan import Plan
from ops.weights.channel import pretrained_channel
from tests.distributed.dogs import write_photos
from tests.distributed.small_network import resnet50, write_weights
from tests.rehearsal.test_kennel_command import kennel
from training.model.weights_file import WeightsError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "w.safetensors")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_channel_has_the_file_and_nothing_of_an_earlier_rehearsal(file: Path, tmp_path: Path) -> None:
    channel = tmp_path / "rehearsal" / "weights"
    for name in ("old.safetensors", "new.safetensors"):
        pretrained_channel(str(file.rename(tmp_path / name)), channel)
        file = tmp_path / name

    assert names(channel) == ["new.safetensors"]
    assert (channel / "new.safetensors").read_bytes() == file.read_bytes()


def test_a_link_keeps_its_own_name(file: Path, tmp_path: Path) -> None:
    """As in the cache of a model hub, where the file has no suffix."""
    blob = file.rename(tmp_path / "5d061a3c")
    (tmp_path / "model.safetensors").symlink_to(blob)
    assert names(pretrained_channel(str(tmp_path / "model.safetensors"), tmp_path / "channel")) == ["model.safetensors"]


def test_imagenets_weights_are_downloaded_once_for_all_hosts(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = file.read_bytes()
    named = PublishedWeights(name="small", url=file.as_uri(), sha256=sha256(content), classes=5)
    monkeypatch.setattr("ops.weights.channel.RESNET50_IMAGENET", named)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    seen: list[tuple[int, int]] = []
    channel = pretrained_channel("imagenet", tmp_path / "channel", lambda done, total: seen.append((done, total)))

    (copy,) = channel.iterdir()
    assert copy.read_bytes() == content
    assert seen[-1] == (len(content), len(content))


def test_a_pickle_ends_the_rehearsal_before_a_host_is_started(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"")
    with pytest.raises(WeightsError, match="is a pickle"):
        pretrained_channel(str(tmp_path / "w.pth"), tmp_path / "channel")


def test_weights_are_no_hyperparameter(tmp_path: Path) -> None:
    assert "pretrained" not in Plan(folder=tmp_path, data=tmp_path).hyperparameters()
    assert "pretrained" not in Plan(folder=tmp_path, pretrained="w.safetensors").hyperparameters()
    assert Plan(folder=tmp_path).hyperparameters()["pretrained"] == "none"


@pytest.mark.slow
def test_a_rehearsal_trains_from_the_weights_in_its_channel(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos")
    weights = write_weights(tmp_path / "mine.safetensors", resnet50)
    folder = tmp_path / "rehearsal"
    run = kennel("rehearse", "--folder", str(folder), "--data", str(photos), "--pretrained", str(weights))

    assert run.returncode == 0, run.stdout + run.stderr
    manifest = json.loads((folder / "job" / "model" / "manifest.json").read_text())
    assert manifest["training"]["hyperparameters"]["pretrained"] == "mine.safetensors"
