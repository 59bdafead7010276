"""The sums of the int8 model are exact on processors without VNNI. AVX2's arithmetic is emulated, so this holds on any
processor that runs the tests."""

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from inference.photo.preprocessing import Pixels
from tests.distributed.small_network import SmallNetwork
from training.export.onnx_graph import INPUT, to_onnx
from training.export.quantise import quantise
from training.export.saturation import saturating_layers, weights_of

Integers = npt.NDArray[np.int64]


def any_photos(count: int) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, 32, 32)).astype(np.float32) for _ in range(count)]


@pytest.fixture(scope="module")
def network() -> bytes:
    torch.manual_seed(5)
    return to_onnx(SmallNetwork(3).eval(), 32)


@pytest.fixture(scope="module")
def served(network: bytes) -> bytes:
    return quantise(network, any_photos(2))


@pytest.fixture(scope="module")
def full_range(network: bytes) -> bytes:
    return quantise(network, any_photos(2), full_range=True)


def vpmaddubsw(activations: npt.NDArray[np.uint8], weights: npt.NDArray[np.int8]) -> Integers:
    """Sums of the products of neighbours: (..., 2n) unsigned and signed bytes to (..., n), clipped to 16 bits."""
    products = activations.astype(np.int64) * weights.astype(np.int64)
    return (products[..., 0::2] + products[..., 1::2]).clip(-32768, 32767)


def dot_avx2(activations: npt.NDArray[np.uint8], weights: npt.NDArray[np.int8]) -> Integers:
    """The last axis' dot product as a processor without VNNI computes it: pairs in 16 bits, their sum in 32."""
    result: Integers = vpmaddubsw(activations, weights).sum(axis=-1)
    return result


def dot_vnni(activations: npt.NDArray[np.uint8], weights: npt.NDArray[np.int8]) -> Integers:
    """The same as a processor with VNNI computes it: all of it in 32 bits."""
    result: Integers = (activations.astype(np.int64) * weights.astype(np.int64)).sum(axis=-1)
    return result


def worst_error(weights: npt.NDArray[np.int8]) -> int:
    """Largest error of AVX2 over the output channels, with the activations and the order of weights that are worst.

    Sorting puts the largest weights of a channel into one pair. The activations are 255 where the weight has one sign,
    and 0 where it has the other, once for each sign.
    """
    channels = np.sort(weights.reshape(len(weights), -1), axis=1)
    if channels.shape[1] % 2:  # the runtime fills an odd number up with a zero
        channels = np.sort(np.pad(channels, ((0, 0), (0, 1))), axis=1)
    errors = []
    for order in (channels, channels[:, ::-1]):
        for active in (order > 0, order < 0):
            activations = np.where(active, np.uint8(255), np.uint8(0))
            errors.append(np.abs(dot_avx2(activations, order) - dot_vnni(activations, order)).max())
    return int(max(errors))


@pytest.mark.parametrize(
    ("activations", "weights", "expected"),
    [
        ((255, 255), (64, 64), 32640),
        ((255, 255), (-64, -64), -32640),
        ((255, 255), (127, 127), 32767),  # 64770 in 32 bits
        ((255, 255), (-127, -127), -32768),
        ((255, 255), (127, -127), 0),  # the sum is clipped, not the products
    ],
)
def test_the_emulation_clips_the_sum_of_two_products_to_16_bits(
    activations: tuple[int, int], weights: tuple[int, int], expected: int
) -> None:
    (found,) = vpmaddubsw(np.array(activations, np.uint8), np.array(weights, np.int8))
    assert found == expected  # exact: sums of integers


def test_every_convolution_and_the_head_of_the_served_model_have_int8_weights(network: bytes, served: bytes) -> None:
    layers = [node for node in onnx.load_from_string(network).graph.node if node.op_type in {"Conv", "Gemm", "MatMul"}]
    assert len(weights_of(served)) == len(layers) > 3


def test_no_layer_of_the_served_model_can_saturate_on_a_processor_without_vnni(served: bytes) -> None:
    # exact: sums of integers
    assert [name for name, weights in weights_of(served).items() if worst_error(weights) != 0] == []
    assert saturating_layers(served) == []


def test_full_range_weights_would_saturate_without_vnni(full_range: bytes) -> None:
    """So the two tests of the served model can fail."""
    wrong = {name for name, weights in weights_of(full_range).items() if worst_error(weights) > 0}
    assert wrong
    assert wrong <= set(saturating_layers(full_range))


def test_the_served_weights_use_all_7_bits(served: bytes) -> None:
    largest = [int(np.abs(weights.astype(int)).max()) for weights in weights_of(served).values()]
    assert largest == [64] * len(largest)  # exact: sums of integers


def test_photos_saturate_a_full_range_layer_and_not_the_served_one(served: bytes, full_range: bytes) -> None:
    """Not only the worst activations do: bright areas, in which neighbouring activations are all large, are enough."""
    bright = np.random.default_rng(1).integers(200, 256, size=4096).astype(np.uint8)

    def wrong(model: bytes) -> int:
        count = 0
        for weights in weights_of(model).values():
            channels = weights.reshape(len(weights), -1)
            channels = channels[:, : channels.shape[1] // 2 * 2]
            activations = np.resize(bright, channels.shape[1])
            count += int((dot_avx2(activations, channels) != dot_vnni(activations, channels)).sum())
        return count

    assert wrong(full_range) > 0
    assert wrong(served) == 0


def one_layer(weights: list[int]) -> bytes:
    """A linear layer of one output whose int8 weights are these."""
    stored = [
        numpy_helper.from_array(np.array(weights, np.int8).reshape(-1, 1), "quantised"),
        numpy_helper.from_array(np.array(0.1, np.float32), "scale"),
        numpy_helper.from_array(np.array(0, np.int8), "zero"),
    ]
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["quantised", "scale", "zero"], ["weights"]),
            helper.make_node("MatMul", [INPUT, "weights"], ["logits"], name="head"),
        ],
        "one layer",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", len(weights)])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])],
        stored,
    )
    content: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()
    return content


@pytest.mark.parametrize(
    ("weights", "saturates"),
    [
        ([64, 64, 0], False),
        ([-64, -64, -64], False),
        ([64, 65], True),  # 255 * 129 = 32895
        ([-64, -65], True),
        ([127, 1], False),  # 255 * 128 = 32640
        ([127, -127], False),
        ([127, -127, 2], True),  # the order of weights in memory is the runtime's choice
        ([127], False),
    ],
)
def test_a_layer_saturates_if_two_of_its_products_can_exceed_16_bits(weights: list[int], saturates: bool) -> None:
    # exact: a list of names
    assert saturating_layers(one_layer(weights)) == (["head"] if saturates else [])


def test_a_float32_model_cannot_saturate(network: bytes) -> None:
    assert saturating_layers(network) == []
