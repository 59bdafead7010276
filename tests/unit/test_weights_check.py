"""Weights are judged before they are sent, without torch, and exactly as training judges them."""

import math
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ops.weights import check, resnet50
from ops.weights.check import Layout, checked
from tests.distributed.small_network import SMALL, SmallNetwork
from training.model.backbone import RESNET50
from training.model.network import build
from training.model.weights_file import WeightsError

State = dict[str, torch.Tensor]
LAYOUT = Layout(
    name=SMALL.name,
    shapes={name: tuple(tensor.shape) for name, tensor in SmallNetwork(1).state_dict().items()},
    in_head=SMALL.in_head,
)


def small(channels: int = 16) -> State:
    torch.manual_seed(3)
    return dict(SmallNetwork(9, channels=channels).state_dict())


def cast(kind: torch.dtype) -> State:
    return {name: tensor.to(kind) if tensor.is_floating_point() else tensor for name, tensor in small().items()}


def spoilt(value: float, kind: torch.dtype) -> State:
    state = cast(kind)
    state["stem.0.weight"][0, 0, 0, 0] = value
    return state


FITTING: dict[str, Callable[[], State]] = {
    "torch's": small,
    "of DDP": lambda: {f"module.{name}": tensor for name, tensor in small().items()},
    "of an old torch": lambda: {name: t for name, t in small().items() if not name.endswith("num_batches_tracked")},
    "without a head": lambda: {name: tensor for name, tensor in small().items() if not SMALL.in_head(name)},
    "half precision": lambda: cast(torch.float16),
    "bfloat16": lambda: cast(torch.bfloat16),
    "double precision": lambda: cast(torch.float64),
}
UNFIT: dict[str, Callable[[], State]] = {
    "shallower": lambda: {name: tensor for name, tensor in small().items() if not name.startswith("late.")},
    "deeper": lambda: {**small(), "early.5.0.weight": torch.zeros(3)},
    "wider": lambda: small(channels=24),
    **{
        f"{value} in {kind}": lambda value=value, kind=kind: spoilt(value, kind)  # type: ignore[misc]
        for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
        for value in (math.nan, math.inf, -math.inf)
    },
}


def refusal(judge: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        judge(path)
    return str(caught.value)


def by_training(path: Path) -> object:
    return build(9, str(path), SMALL)


def by_upload(path: Path) -> object:
    return checked(path, LAYOUT)


@pytest.mark.parametrize("kind", FITTING)
def test_what_training_loads_is_sent_as_it_is(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file(FITTING[kind](), file)
    by_training(file)
    assert checked(file, LAYOUT).content == file.read_bytes()
    assert checked(tmp_path, LAYOUT).content == file.read_bytes()  # a folder, as a channel is one


@pytest.mark.parametrize("kind", UNFIT)
def test_what_training_refuses_is_refused_with_the_same_sentence(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file(UNFIT[kind](), file)
    assert refusal(by_upload, file) == refusal(by_training, file)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.bin"])
@pytest.mark.parametrize("content", [b"", b"<html>", b"\x02\0\0\0\0\0\0\0{}", pickle.dumps({"conv1.weight": 1.0})])
def test_another_file_is_refused_by_both(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    sentence = refusal(by_upload, tmp_path / name)
    assert sentence.partition(" (")[0] == refusal(by_training, tmp_path / name).partition(" (")[0]
    assert ("is a pickle" in sentence) == (name != "w.safetensors")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file(small(), file)
    file.write_bytes(file.read_bytes()[:-1])
    assert "or is incomplete" in refusal(by_upload, file)


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "does not exist; name a file, or `imagenet`" in refusal(by_upload, tmp_path / "gone.safetensors")


def test_a_type_that_training_does_not_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file(small() | {"stem.0.weight": small()["stem.0.weight"].to(torch.float8_e4m3fn)}, file)
    assert "stem.0.weight has the type F8_E4M3, and not one of F64, F32" in refusal(by_upload, file)


def test_a_head_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    """Training would keep it if the breeds were the same."""
    file = tmp_path / "w.safetensors"
    save_file(small() | {"classifier.1.bias": torch.full((9,), math.nan)}, file)
    assert "classifier.1.bias contains values that are not finite" in refusal(by_upload, file)


def test_a_file_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    with file.open("wb") as sparse:
        sparse.truncate(check.MOST_BYTES + 1)
    assert "it has 1,073,741,825 bytes, and those have 102 million" in refusal(by_upload, file)


def test_the_sentence_for_a_pickle_says_how_torch_is_installed_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "w.pth").write_bytes(b"")
    assert "make setup" not in refusal(by_upload, tmp_path / "w.pth")
    monkeypatch.setattr("training.model.weights_file.find_spec", lambda _: None)
    assert "after `make setup`, which installs torch: " in refusal(by_upload, tmp_path / "w.pth")


def test_the_declared_tensors_are_those_of_the_network_that_is_trained() -> None:
    own = {name: tuple(tensor.shape) for name, tensor in RESNET50.build(1000, False).state_dict().items()}
    assert {name: shape for name, shape in own.items() if not RESNET50.in_head(name)} == resnet50.shapes()
    assert (RESNET50.name, RESNET50.head) == (resnet50.NAME, resnet50.HEAD)
