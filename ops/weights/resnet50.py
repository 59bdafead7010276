"""The tensors of torchvision's ResNet50, by name and shape, for machines without torch.

A test compares them with the network itself (`training/model/backbone.py`).
"""

from collections.abc import Iterator

from training.model.weights_file import Shapes

NAME = "torchvision's resnet50"
HEAD = "fc"
BLOCKS = (3, 4, 6, 3)
"""Residual blocks of each stage."""
WIDTHS = (64, 128, 256, 512)
"""Channels within the blocks of each stage. A block's output has four times as many."""


def shapes() -> Shapes:
    """Every tensor of the network but those of the head, whose size depends on the classes."""
    return dict(_tensors())


def in_head(name: str) -> bool:
    return name.startswith(f"{HEAD}.")


def _tensors() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _convolution("conv1", "bn1", 64, 3, 7)
    before = 64
    for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True), start=1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            yield from _convolution(f"{at}.conv1", f"{at}.bn1", width, before, 1)
            yield from _convolution(f"{at}.conv2", f"{at}.bn2", width, width, 3)
            yield from _convolution(f"{at}.conv3", f"{at}.bn3", 4 * width, width, 1)
            if block == 0:
                yield from _convolution(f"{at}.downsample.0", f"{at}.downsample.1", 4 * width, before, 1)
            before = 4 * width


def _convolution(name: str, norm: str, out: int, into: int, size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A convolution without a bias, and the batch norm after it."""
    yield f"{name}.weight", (out, into, size, size)
    for tensor in ("weight", "bias", "running_mean", "running_var"):
        yield f"{norm}.{tensor}", (out,)
    yield f"{norm}.num_batches_tracked", ()
