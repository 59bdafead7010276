"""Features are those of the given network, whichever threads compute them."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from inference.photo.preprocessing import Preprocessing
from tests.distributed.dogs import spoil, write_photos
from tests.distributed.small_network import SMALL as SMALL_BACKBONE
from tests.distributed.small_network import WIDTH, SmallNetwork
from training.data import extract as extraction
from training.data.batches import normalised
from training.data.dataset import scan
from training.data.extract import FeatureExtractor, extract
from training.data.features import FeatureBatches
from training.data.reading import read_square
from training.data.threads import one_thread_each
from training.distributed import World
from training.model.backbone import RESNET50, Backbone
from training.model.network import folded

CPU = torch.device("cpu")
SMALL = Preprocessing.for_size(32)


def trained(model: nn.Module) -> nn.Module:
    """The network with norm layers that change their input, as after training."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias, 0, 0.3)
            nn.init.normal_(layer.running_mean, 0, 0.2)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.5, 2)  # type: ignore[arg-type]
    return model.eval()


def any_pixels(count: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def any_network() -> nn.Module:
    torch.manual_seed(5)
    return trained(SmallNetwork(3))


def input_of_the_head(model: nn.Module, backbone: Backbone, pixels: torch.Tensor) -> torch.Tensor:
    """What the whole, unchanged network passes to its head."""
    found: list[torch.Tensor] = []
    hook = backbone.head_of(model).register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    with torch.inference_mode():
        model(normalised(pixels, SMALL))
    hook.remove()
    return found[0]


@pytest.mark.parametrize("backbone", [SMALL_BACKBONE, RESNET50], ids=lambda backbone: backbone.name)
def test_folded_layers_give_the_input_of_the_head_and_leave_the_model_unchanged(backbone: Backbone) -> None:
    torch.manual_seed(5)
    model = trained(backbone.build(3, False))
    before = copy.deepcopy(model.state_dict())
    layers = folded(backbone.feature_layers(model))
    with torch.inference_mode():
        found = layers(normalised(any_pixels(), SMALL))
    expected = input_of_the_head(model, backbone, any_pixels())

    assert found.shape == (3, backbone.width)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in layers.modules())
    # folding rounds the weights of each convolution once more
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    # exact: folding works on a copy and leaves the given tensors alone
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_features_in_half_precision_are_close_to_the_networks() -> None:
    model = any_network()
    found = FeatureExtractor(model, SMALL_BACKBONE, SMALL, CPU).features(any_pixels())
    assert found.shape == (3, WIDTH)
    assert found.dtype == torch.float32
    assert nn.functional.cosine_similarity(found, input_of_the_head(model, SMALL_BACKBONE, any_pixels())).min() > 0.999


def test_the_second_view_is_the_mirror_image() -> None:
    extractor = FeatureExtractor(any_network(), SMALL_BACKBONE, SMALL, CPU)
    both = extractor.features(any_pixels(), views=2)
    # Close, not equal: threads may divide the sums of two calls differently.
    torch.testing.assert_close(both[:, :WIDTH], extractor.features(any_pixels()), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(both[:, WIDTH:], extractor.features(any_pixels().flip(2)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("workers", [1, 5])
def test_features_do_not_depend_on_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    spoil(write_photos(tmp_path), "train/Pug/2.jpg")
    data = scan(tmp_path)
    extractor = FeatureExtractor(any_network(), SMALL_BACKBONE, SMALL, CPU)
    monkeypatch.setattr(extraction, "cores", lambda: workers)
    rows = extract(data, "train", extractor, World(0, 1, CPU), views=1)

    spoilt = [data.name(photo) for photo in data.splits["train"]].index("train/Pug/2.jpg")
    assert list(data.skipped) == ["train/Pug/2.jpg"]
    # exact: the flags are 0 and 1, assigned and not computed
    assert [i for i, usable in enumerate(rows[:, -1].tolist()) if not usable] == [spoilt]
    # Training computes each micro-batch in one thread, and so does this test.
    # With two threads oneDNN and ATen divide the sums differently, and the last bits differ (seen on AVX2).
    with one_thread_each():
        for start in range(0, len(rows), extractor.micro_batch):
            photos = data.splits["train"][start : start + extractor.micro_batch]
            pixels = torch.zeros(len(photos), 32, 32, 3, dtype=torch.uint8)
            for row, photo in zip(pixels, photos, strict=True):
                square = read_square(data, photo, SMALL)
                if square is not None:
                    row.copy_(torch.from_numpy(square))
            # exact: both are computed by one thread, in chunks of the same photos
            assert torch.equal(rows[start : start + len(photos), :-1], extractor.features(pixels))
    last = capsys.readouterr().out.splitlines()[-1]
    assert "done=18 total=18" in last
    assert "decode_s=" in last
    assert "forward_s=" in last


def test_a_photo_and_its_mirror_image_are_two_examples_of_its_breed(tmp_path: Path) -> None:
    data = scan(write_photos(tmp_path))
    source = FeatureBatches(
        data,
        any_network(),
        backbone=SMALL_BACKBONE,
        preprocessing=SMALL,
        world=World(0, 1, CPU),
        batch_size=12,
        seed=0,
    )
    batches = list(source.epoch(0))
    targets = torch.cat([batch.targets for batch in batches])
    assert [len(batch.inputs) for batch in batches] == [12, 12, 12]
    # exact: labels are whole numbers
    assert torch.bincount(targets).tolist() == [12, 12, 12]
    ((test, labels),) = source.examples("test")
    assert test.shape == (9, WIDTH)
    # exact: labels are whole numbers
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
