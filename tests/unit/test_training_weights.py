"""Pretrained weights: which files are loaded, and which are refused."""

import pickle
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from contract.weights import PublishedWeights
from inference.artifact import sha256
from tests.distributed.small_network import SMALL, SmallNetwork, separable, write_weights
from tests.faults.fault_server import cuts_short, misbehaving
from training.model import download
from training.model.backbone import RESNET50, Backbone
from training.model.network import build, fingerprint, keep_head
from training.model.weights import metadata
from training.model.weights_file import WeightsError


def refusal(pretrained: Path | str, backbone: Backbone = SMALL) -> str:
    with pytest.raises(WeightsError) as caught:
        build(3, str(pretrained), backbone)
    return str(caught.value)


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return dict(SmallNetwork(9).state_dict())


def is_filled(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> bool:
    own = model.state_dict()
    # exact: the weights are copied from the file, not computed
    return all(torch.equal(own[name], tensor) for name, tensor in state.items() if not SMALL.in_head(name))


def test_a_safetensors_file_fills_the_backbone_and_not_the_head(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "w.safetensors")
    model = build(3, str(tmp_path / "w.safetensors"), SMALL)
    assert is_filled(model, weights())
    assert len(SMALL.head_of(model).get_parameter("1.bias")) == 3


@pytest.mark.parametrize(
    "saved",
    [
        {f"module.{name}": tensor for name, tensor in weights().items()},
        {name: tensor for name, tensor in weights().items() if not name.endswith("num_batches_tracked")},
    ],
    ids=["of DDP", "of an old torch"],
)
def test_weights_by_other_names_fill_the_backbone(tmp_path: Path, saved: dict[str, torch.Tensor]) -> None:
    save_file(saved, tmp_path / "w.safetensors")
    model = build(3, str(tmp_path / "w.safetensors"), SMALL)
    assert is_filled(model, {name: t for name, t in weights().items() if not name.endswith("num_batches_tracked")})


def test_half_precision_is_cast(tmp_path: Path) -> None:
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights().items()}
    save_file(half, tmp_path / "w.safetensors")
    model = build(3, str(tmp_path / "w.safetensors"), SMALL)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert is_filled(model, {name: tensor.float() for name, tensor in half.items() if tensor.is_floating_point()})


@pytest.fixture
def no_unpickling(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails the test if anything opens a pickle, by Python's functions or torch's, even if the error is caught."""
    opened: list[object] = []
    with monkeypatch.context() as patch:
        for module in (pickle, __import__("_pickle")):
            for name in ("Unpickler", "_Unpickler", "load", "loads", "_load", "_loads"):
                patch.setattr(module, name, lambda *given, **_: opened.append(given), raising=False)
        patch.setattr(torch, "load", lambda *given, **_: opened.append(given))
        yield
    assert opened == []


@pytest.mark.usefixtures("no_unpickling")
@pytest.mark.parametrize("name", ["w.pth", "W.PT", "pytorch_model.bin"])
def test_a_pickle_is_refused_unopened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    for given in (tmp_path / name, tmp_path):
        assert "is a pickle" in refusal(given)


@pytest.mark.usefixtures("no_unpickling")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_another_name_is_refused_unopened(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "w.safetensors"
    if zipped:
        torch.save(weights(), file)
    else:
        file.write_bytes(pickle.dumps(weights()))
    assert "download it again" in refusal(file)


@pytest.mark.parametrize("around", ["nothing", "state_dict", "model", "channels last"])
def test_the_command_in_the_refusal_converts_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    old, state = tmp_path / "my weights.pth", weights()
    if around == "channels last":
        state = SmallNetwork(9).to(memory_format=torch.channels_last).state_dict()
        state.update({name: state[name].copy_(tensor) for name, tensor in weights().items()})
        assert not state["stem.0.weight"].is_contiguous()
    torch.save({around: state, "epoch": 3} if around in ("state_dict", "model") else state, old)
    command = shlex.split(refusal(old).partition(".safetensors with: ")[2])
    if around == "nothing":
        subprocess.run(command, check=True)
    else:  # the same code in this process, which has imported torch already
        _python, _option, code, *arguments = command
        monkeypatch.setattr(sys, "argv", ["-c", *arguments])
        exec(code, {})  # noqa: S102
    assert is_filled(build(3, str(old.with_suffix(".safetensors")), SMALL), weights())


@pytest.mark.parametrize("content", [b"{}", b"", b"<html>", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_file_without_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    sentence = refusal(tmp_path / "w.safetensors")
    assert "download it again" in sentence or "is missing" in sentence


def test_a_shallower_network_is_refused_with_the_missing_parameter(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in weights().items() if not name.startswith("late.")}
    save_file(state, tmp_path / "w.safetensors")
    assert "not those of the small network: late.0.weight is missing" in refusal(tmp_path / "w.safetensors")


def test_a_deeper_network_is_refused_although_it_contains_this_one(tmp_path: Path) -> None:
    def deeper() -> nn.Module:
        model = SmallNetwork(3)
        model.early.append(separable(64, 64))
        return model

    write_weights(tmp_path / "w.safetensors", deeper)
    assert "early.5.0.weight is not part of it" in refusal(tmp_path / "w.safetensors")


def test_a_wider_network_is_refused_with_its_shape(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", lambda: SmallNetwork(3, channels=24))
    assert "has the shape" in refusal(tmp_path / "w.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = weights()
    state["stem.0.weight"][0, 0, 0, 0] = torch.nan
    save_file(state, tmp_path / "w.safetensors")
    assert "stem.0.weight contains values that are not finite" in refusal(tmp_path / "w.safetensors")


def test_a_channel_must_contain_one_file(tmp_path: Path) -> None:
    assert "contains no weights" in refusal(tmp_path)
    (tmp_path / "README.md").write_text("the source of the weights")
    (tmp_path / "pytorch_model.bin").write_bytes(b"the same as a pickle, as timm publishes it")
    save_file(weights(), tmp_path / "w.safetensors")
    assert is_filled(build(3, str(tmp_path), SMALL), weights())
    save_file(weights(), tmp_path / "x.safetensors")
    assert "contains pytorch_model.bin, w.safetensors, x.safetensors" in refusal(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "--pretrained" in refusal(tmp_path / "gone.safetensors")


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `imagenet_backbone` downloads; the cache is empty."""
    path = tmp_path / "published.safetensors"
    save_file(weights(), path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return path


@pytest.fixture
def imagenet_backbone(published: Path) -> Backbone:
    imagenet = PublishedWeights(name="small", url=published.as_uri(), sha256=sha256(published.read_bytes()), classes=9)
    return replace(SMALL, imagenet=imagenet)


def test_imagenet_weights_are_downloaded_once(published: Path, imagenet_backbone: Backbone) -> None:
    assert is_filled(build(3, "imagenet", imagenet_backbone), weights())
    published.unlink()
    assert is_filled(build(3, "imagenet", imagenet_backbone), weights())


def test_a_backbone_without_published_weights_has_none_to_download() -> None:
    assert "no ImageNet weights to download for the small network" in refusal("imagenet")


def test_an_incomplete_copy_is_downloaded_again(published: Path, imagenet_backbone: Backbone, tmp_path: Path) -> None:
    build(3, "imagenet", imagenet_backbone)
    (copy,) = (tmp_path / "cache").rglob("*.safetensors")
    copy.write_bytes(copy.read_bytes()[:1000])
    assert is_filled(build(3, "imagenet", imagenet_backbone), weights())
    assert copy.read_bytes() == published.read_bytes()


@pytest.mark.usefixtures("published")
def test_a_server_that_sends_nothing_ends_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "STALLED_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/w.safetensors"
        stalled = replace(SMALL, imagenet=PublishedWeights(name="small", url=url, sha256="0" * 64, classes=9))
        assert "timed out" in refusal("imagenet", stalled)
    assert socket.getdefaulttimeout() is None


def test_a_download_with_another_checksum_is_refused_and_deleted(
    published: Path, imagenet_backbone: Backbone, tmp_path: Path
) -> None:
    published.write_bytes(published.read_bytes()[:-1] + b"!")
    for _ in range(2):
        assert "its SHA-256 is" in refusal("imagenet", imagenet_backbone)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("published")
def test_a_download_that_ends_early_is_refused_with_its_length(tmp_path: Path) -> None:
    with misbehaving() as server:
        server.play(cuts_short)
        url = f"{server.url}/w.safetensors"
        short = replace(SMALL, imagenet=PublishedWeights(name="small", url=url, sha256="0" * 64, classes=9))
        assert "ended after 17 of 1000 bytes" in refusal("imagenet", short)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_the_download_goes_where_torch_hub_looks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("TORCH_HOME", "XDG_CACHE_HOME", "HOME"):
        for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(variable, str(tmp_path / variable))
        assert download.cache() == Path(torch.hub.get_dir()) / "checkpoints"


def test_a_failed_download_names_the_option(published: Path, imagenet_backbone: Backbone) -> None:
    published.unlink()
    assert "--pretrained FILE" in refusal("imagenet", imagenet_backbone)


def test_the_published_file_has_the_size_of_torchvisions_resnet50(tmp_path: Path) -> None:
    """The size depends on names, shapes and types, and is published with the checksum of the file."""
    save_file(RESNET50.build(1000, False).state_dict(), tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size == 102_469_840


def test_without_pretrained_weights_the_seed_decides() -> None:
    prints = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        prints.append(fingerprint(build(3, "none", SMALL)))
    # exact: the weights are random numbers of a seed, drawn by the same generator
    assert prints[0] == prints[1] != prints[2]


BREEDS = ["Beagle", "Collie", "Pug"]


def head_weight(model: nn.Module) -> torch.Tensor:
    return SMALL.head_of(model).get_parameter("1.weight")


def artifact(folder: Path, labels: list[str], **changed: torch.Tensor) -> str:
    torch.manual_seed(11)
    state = {**SmallNetwork(len(labels)).state_dict(), **changed}
    save_file(state, folder / "model.safetensors", metadata=metadata(labels))
    return str(folder)


def test_the_head_of_an_artifact_is_kept_for_the_same_breeds(tmp_path: Path) -> None:
    folder = artifact(tmp_path, BREEDS)
    model = build(3, folder, SMALL)
    before = head_weight(model).clone()
    assert keep_head(model, folder, BREEDS, SMALL).startswith("kept")
    torch.manual_seed(11)
    known = SMALL.head_of(SmallNetwork(3)).state_dict()
    head = SMALL.head_of(model).state_dict()
    # exact: the weights are copied from the file, not computed
    assert all(torch.equal(head[name], known[name]) for name in known)
    # exact: the two heads are random numbers of different seeds
    assert not torch.equal(head_weight(model), before)


@pytest.mark.parametrize("labels", [["Beagle", "Pug", "Collie"], ["Beagle", "Collie", "Saluki"], ["Beagle", "Collie"]])
def test_a_head_for_other_breeds_or_another_order_is_not_kept(tmp_path: Path, labels: list[str]) -> None:
    folder = artifact(tmp_path, labels)
    model = build(3, folder, SMALL)
    before = head_weight(model).clone()
    assert keep_head(model, folder, BREEDS, SMALL).startswith("dropped: it was trained for other breeds")
    # exact: the weights are copied from the file, not computed
    assert torch.equal(head_weight(model), before)


@pytest.mark.parametrize(
    ("classes", "logged"), [(3, "its 3 classes"), (133, "its 133 classes"), (1000, "its 1000 classes"), (21, "")]
)
def test_a_head_without_breed_names_is_dropped_and_logged_unless_it_is_imagenets(
    tmp_path: Path, classes: int, logged: str
) -> None:
    backbone = replace(SMALL, imagenet=PublishedWeights(name="small", url="", sha256="", classes=21))
    state = {f"module.{key}": tensor for key, tensor in SmallNetwork(classes).state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    model = build(3, str(tmp_path), SMALL)
    before = head_weight(model).clone()
    note = keep_head(model, str(tmp_path), BREEDS, backbone)
    assert note.startswith("dropped") == bool(logged)
    assert logged in note
    # exact: the weights are copied from the file, not computed
    assert torch.equal(head_weight(model), before)


def test_a_file_without_a_head_has_none_to_drop(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in weights().items() if not SMALL.in_head(name)}
    save_file(state, tmp_path / "w.safetensors")
    assert keep_head(build(3, str(tmp_path), SMALL), str(tmp_path), BREEDS, SMALL) == ""


@pytest.mark.parametrize("pretrained", ["imagenet", "none"])
def test_without_a_file_there_is_no_head_to_keep(
    pretrained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(pretrained).mkdir()  # a folder of that name is ignored
    assert keep_head(SmallNetwork(3), pretrained, BREEDS, SMALL) == ""


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [(torch.zeros(4, SMALL.width), "not one of 3 classes"), (torch.full((3, SMALL.width), torch.nan), "not finite")],
)
def test_a_head_that_does_not_fit_is_refused(tmp_path: Path, weight: torch.Tensor, sentence: str) -> None:
    folder = artifact(tmp_path, BREEDS, **{"classifier.1.weight": weight})
    with pytest.raises(WeightsError, match=sentence):
        keep_head(build(3, folder, SMALL), folder, BREEDS, SMALL)


def test_another_head_gives_another_fingerprint(tmp_path: Path) -> None:
    model = build(3, artifact(tmp_path, BREEDS), SMALL)
    before = fingerprint(model)
    keep_head(model, str(tmp_path), BREEDS, SMALL)
    # exact: the two heads are random numbers of different seeds
    assert fingerprint(model) != before
