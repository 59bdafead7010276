"""Pretrained weights: from which files they are taken, and which files are refused."""

import pickle
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import ResNet, resnet50
from torchvision.models.resnet import Bottleneck

import training.model.backbone
from inference.artifact import sha256
from tests.distributed.dogs import small_resnet, write_weights
from training.model import weights as source
from training.model.backbone import build, fingerprint, keep_head
from training.model.weights import WeightsError, metadata


@pytest.fixture(autouse=True)
def _small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.model.backbone, "resnet50", small_resnet)


def refusal(pretrained: Path | str) -> str:
    with pytest.raises(WeightsError) as caught:
        build(3, str(pretrained))
    return str(caught.value)


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return dict(small_resnet(num_classes=9).state_dict())


def is_filled(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> bool:
    own = model.state_dict()
    return all(torch.equal(own[name], tensor) for name, tensor in state.items() if not name.startswith("fc."))


def test_a_safetensors_file_fills_the_backbone_and_not_the_head(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "w.safetensors")
    model = build(3, str(tmp_path / "w.safetensors"))
    assert is_filled(model, weights())
    assert model.fc.out_features == 3


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
    model = build(3, str(tmp_path / "w.safetensors"))
    assert is_filled(model, {name: t for name, t in weights().items() if not name.endswith("num_batches_tracked")})


def test_half_precision_is_cast(tmp_path: Path) -> None:
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights().items()}
    save_file(half, tmp_path / "w.safetensors")
    model = build(3, str(tmp_path / "w.safetensors"))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert is_filled(model, {name: tensor.float() for name, tensor in half.items() if tensor.is_floating_point()})


@pytest.fixture
def no_unpickling(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever opens a pickle fails the test, also where its error is caught: Python's readers and torch's."""
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
def test_a_pickle_by_another_name_is_refused_unopened(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "w.safetensors"
    if zipped:
        torch.save(weights(), file)
    else:
        file.write_bytes(pickle.dumps(weights()))
    assert "get it again" in refusal(file)


@pytest.mark.parametrize("around", ["nothing", "state_dict", "model", "channels last"])
def test_the_command_in_the_refusal_makes_a_file_that_is_taken(tmp_path: Path, around: str) -> None:
    old, state = tmp_path / "my weights.pth", weights()
    if around == "channels last":
        state = small_resnet(num_classes=9).to(memory_format=torch.channels_last).state_dict()
        state.update({name: state[name].copy_(tensor) for name, tensor in weights().items()})
        assert not state["conv1.weight"].is_contiguous()
    torch.save({around: state, "epoch": 3} if around in ("state_dict", "model") else state, old)
    subprocess.run(shlex.split(refusal(old).partition("trust it: ")[2]), check=True)
    assert is_filled(build(3, str(old.with_suffix(".safetensors"))), weights())


@pytest.mark.parametrize("content", [b"{}", b"", b"<html>", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_file_of_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    sentence = refusal(tmp_path / "w.safetensors")
    assert "get it again" in sentence or "is missing" in sentence


def test_a_shallower_network_is_refused_by_what_is_missing(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in weights().items() if not name.startswith("layer4.")}
    save_file(state, tmp_path / "w.safetensors")
    assert "layer4.0.conv1.weight is missing" in refusal(tmp_path / "w.safetensors")


def test_a_deeper_network_is_refused_though_it_holds_all_of_this_one(tmp_path: Path) -> None:
    write_weights(
        tmp_path / "w.safetensors", lambda: ResNet(Bottleneck, [1, 1, 2, 1], num_classes=3, width_per_group=4)
    )
    assert "layer3.1.bn1.bias is not part of it" in refusal(tmp_path / "w.safetensors")


def test_a_wider_network_is_refused_by_its_shape(tmp_path: Path) -> None:
    write_weights(
        tmp_path / "w.safetensors", lambda: ResNet(Bottleneck, [1, 1, 1, 1], num_classes=3, width_per_group=8)
    )
    assert "has the shape" in refusal(tmp_path / "w.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = weights()
    state["conv1.weight"][0, 0, 0, 0] = torch.nan
    save_file(state, tmp_path / "w.safetensors")
    assert "conv1.weight holds values that are not finite" in refusal(tmp_path / "w.safetensors")


def test_a_channel_holds_one_file(tmp_path: Path) -> None:
    assert "holds no weights" in refusal(tmp_path)
    (tmp_path / "README.md").write_text("whose weights these are")
    (tmp_path / "pytorch_model.bin").write_bytes(b"the same as a pickle, as timm publishes it")
    save_file(weights(), tmp_path / "w.safetensors")
    assert is_filled(build(3, str(tmp_path)), weights())
    save_file(weights(), tmp_path / "x.safetensors")
    assert "holds pytorch_model.bin, w.safetensors, x.safetensors" in refusal(tmp_path)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    assert "--pretrained" in refusal(tmp_path / "gone.safetensors")


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is downloaded as ImageNet's weights, and an empty cache."""
    path = tmp_path / "published.safetensors"
    save_file(weights(), path)
    monkeypatch.setattr(source, "IMAGENET", path.as_uri())
    monkeypatch.setattr(source, "IMAGENET_SHA256", sha256(path.read_bytes()))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    return path


def test_imagenets_weights_are_downloaded_once(published: Path) -> None:
    assert is_filled(build(3, "imagenet"), weights())
    published.unlink()
    assert is_filled(build(3, "imagenet"), weights())


def test_a_copy_that_was_cut_off_is_downloaded_again(published: Path, tmp_path: Path) -> None:
    build(3, "imagenet")
    (copy,) = (tmp_path / "cache").rglob("*.safetensors")
    copy.write_bytes(copy.read_bytes()[:1000])
    assert is_filled(build(3, "imagenet"), weights())
    assert copy.read_bytes() == published.read_bytes()


def test_a_server_that_falls_silent_ends_the_download(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "STALLED_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(source, "IMAGENET", f"http://127.0.0.1:{server.getsockname()[1]}/w.safetensors")
        assert "timed out" in refusal("imagenet")
    assert socket.getdefaulttimeout() is None


def test_a_download_of_something_else_is_refused_and_not_kept(published: Path, tmp_path: Path) -> None:
    published.write_bytes(published.read_bytes()[:-1] + b"!")
    for _ in range(2):
        assert "invalid hash" in refusal("imagenet")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_download_that_fails_is_a_sentence(published: Path) -> None:
    published.unlink()
    assert "--pretrained FILE" in refusal("imagenet")


def test_the_published_file_has_the_size_of_torchvisions_resnet50(tmp_path: Path) -> None:
    """Names, shapes and types make up the size, which those who pin the file give beside its checksum."""
    save_file(resnet50().state_dict(), tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").stat().st_size == 102_469_840


def test_without_weights_two_seeds_are_two_networks() -> None:
    prints = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        prints.append(fingerprint(build(3, "none")))
    assert prints[0] == prints[1] != prints[2]


BREEDS = ["Beagle", "Collie", "Pug"]


def artifact(folder: Path, labels: list[str], **changed: torch.Tensor) -> str:
    torch.manual_seed(11)
    state = {**small_resnet(num_classes=len(labels)).state_dict(), **changed}
    save_file(state, folder / "model.safetensors", metadata=metadata(labels))
    return str(folder)


def test_an_artifacts_head_is_kept_for_the_breeds_that_it_knows(tmp_path: Path) -> None:
    folder = artifact(tmp_path, BREEDS)
    model = build(3, folder)
    before = model.fc.weight.clone()
    assert keep_head(model, folder, BREEDS).startswith("kept")
    torch.manual_seed(11)
    known = small_resnet(num_classes=3).fc
    assert torch.equal(model.fc.weight, known.weight)
    assert torch.equal(model.fc.bias, known.bias)
    assert not torch.equal(model.fc.weight, before)


@pytest.mark.parametrize("labels", [["Beagle", "Pug", "Collie"], ["Beagle", "Collie", "Saluki"], ["Beagle", "Collie"]])
def test_a_head_for_other_breeds_or_in_another_order_is_not(tmp_path: Path, labels: list[str]) -> None:
    folder = artifact(tmp_path, labels)
    model = build(3, folder)
    before = model.fc.weight.clone()
    assert keep_head(model, folder, BREEDS).startswith("dropped: the file's is for other breeds")
    assert torch.equal(model.fc.weight, before)


@pytest.mark.parametrize(("classes", "told"), [(3, "its 3 classes"), (133, "its 133 classes"), (1000, "")])
def test_a_head_that_names_no_breeds_is_dropped_and_only_imagenets_in_silence(
    tmp_path: Path, classes: int, told: str
) -> None:
    state = {f"module.{key}": tensor for key, tensor in small_resnet(num_classes=classes).state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    model = build(3, str(tmp_path))
    before = model.fc.weight.clone()
    note = keep_head(model, str(tmp_path), BREEDS)
    assert note.startswith("dropped") == bool(told)
    assert told in note
    assert torch.equal(model.fc.weight, before)


def test_a_file_without_a_head_has_none_to_drop(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in weights().items() if not name.startswith("fc.")}
    save_file(state, tmp_path / "w.safetensors")
    assert keep_head(build(3, str(tmp_path)), str(tmp_path), BREEDS) == ""


@pytest.mark.parametrize("pretrained", ["imagenet", "none"])
def test_where_no_file_is_named_there_is_no_head_to_keep(
    pretrained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(pretrained).mkdir()  # a folder that happens to be called so is not meant
    assert keep_head(small_resnet(num_classes=3), pretrained, BREEDS) == ""


@pytest.mark.parametrize(
    ("weight", "sentence"),
    [(torch.zeros(4, 2048), "not one of 3 classes"), (torch.full((3, 2048), torch.nan), "not finite")],
)
def test_a_head_that_does_not_fit_is_refused(tmp_path: Path, weight: torch.Tensor, sentence: str) -> None:
    folder = artifact(tmp_path, BREEDS, **{"fc.weight": weight})
    with pytest.raises(WeightsError, match=sentence):
        keep_head(build(3, folder), folder, BREEDS)


def test_two_runs_from_other_heads_are_two_runs(tmp_path: Path) -> None:
    model = build(3, artifact(tmp_path, BREEDS))
    before = fingerprint(model)
    keep_head(model, str(tmp_path), BREEDS)
    assert fingerprint(model) != before
