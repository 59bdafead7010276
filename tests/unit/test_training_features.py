"""Features: those of the network that was given, the same whoever computes them."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import ResNet

from inference.photo.preprocessing import Preprocessing
from tests.distributed.dogs import small_resnet, spoil, write_photos
from training.data import features
from training.data.batches import normalised
from training.data.dataset import read_square, scan
from training.data.features import Backbone, FeatureMaterial
from training.data.threads import one_thread_each
from training.distributed import World
from training.model.backbone import FEATURES, folded_backbone

CPU = torch.device("cpu")
SMALL = Preprocessing.for_size(32)


def any_network() -> ResNet:
    """With norm layers that do something, as trained ones do."""
    torch.manual_seed(5)
    model = small_resnet(num_classes=3)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias, 0, 0.3)
            nn.init.normal_(layer.running_mean, 0, 0.2)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.5, 2)  # type: ignore[arg-type]
    return model.eval()


def any_pixels(count: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def unfolded(model: ResNet, pixels: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        backbone = nn.Sequential(*list(model.children())[:-1], nn.Flatten())
        result: torch.Tensor = backbone(normalised(pixels, SMALL))
    return result


def test_folding_changes_no_feature_and_not_the_model() -> None:
    model = any_network()
    before = copy.deepcopy(model.state_dict())
    folded = folded_backbone(model)
    with torch.inference_mode():
        found = folded(normalised(any_pixels(), SMALL)).mean((2, 3))

    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    assert torch.allclose(found, unfolded(model, any_pixels()), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_features_in_half_precision_point_where_the_networks_do() -> None:
    model = any_network()
    found = Backbone(model, SMALL, CPU).features(any_pixels())
    assert found.shape == (3, FEATURES)
    assert found.dtype == torch.float32
    assert nn.functional.cosine_similarity(found, unfolded(model, any_pixels())).min() > 0.999


def test_the_second_view_is_the_mirror_image() -> None:
    backbone = Backbone(any_network(), SMALL, CPU)
    both = backbone.features(any_pixels(), views=2)
    assert torch.equal(both[:, :FEATURES], backbone.features(any_pixels()))
    assert torch.equal(both[:, FEATURES:], backbone.features(any_pixels().flip(2)))


@pytest.mark.parametrize("workers", [1, 5])
def test_features_do_not_depend_on_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    spoil(write_photos(tmp_path), "train/Pug/2.jpg")
    data = scan(tmp_path)
    backbone = Backbone(any_network(), SMALL, CPU)
    monkeypatch.setattr(features, "cores", lambda: workers)
    rows = features.extract(data, "train", backbone, World(0, 1, CPU), views=1)

    spoilt = [data.name(photo) for photo in data.splits["train"]].index("train/Pug/2.jpg")
    assert list(data.skipped) == ["train/Pug/2.jpg"]
    assert [i for i, usable in enumerate(rows[:, -1].tolist()) if not usable] == [spoilt]
    # Equal to the bit on any processor: a chunk is computed by one thread in the product, and here by one thread too.
    # With two, oneDNN and ATen divide the sums otherwise, and the last bits differ (seen on AVX2).
    with one_thread_each():
        for start in range(0, len(rows), backbone.chunk):
            photos = data.splits["train"][start : start + backbone.chunk]
            pixels = torch.zeros(len(photos), 32, 32, 3, dtype=torch.uint8)
            for row, photo in zip(pixels, photos, strict=True):
                square = read_square(data, photo, SMALL)
                if square is not None:
                    row.copy_(torch.from_numpy(square))
            assert torch.equal(rows[start : start + len(photos), :-1], backbone.features(pixels))
    last = capsys.readouterr().out.splitlines()[-1]
    assert "done=18 total=18" in last
    assert "decode_s=" in last
    assert "forward_s=" in last


def test_a_photo_and_its_mirror_image_are_two_examples_of_its_breed(tmp_path: Path) -> None:
    data = scan(write_photos(tmp_path))
    material = FeatureMaterial(data, any_network(), preprocessing=SMALL, world=World(0, 1, CPU), batch_size=12, seed=0)
    batches = list(material.epoch(0))
    targets = torch.cat([batch.targets for batch in batches])
    assert [len(batch.inputs) for batch in batches] == [12, 12, 12]
    assert torch.bincount(targets).tolist() == [12, 12, 12]
    ((test, labels),) = material.examples("test")
    assert test.shape == (9, FEATURES)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
