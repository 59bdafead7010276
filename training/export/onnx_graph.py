"""The network as an ONNX model in memory: exported, run on photos, and divided by its temperature."""

import logging
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from inference.cores import usable_cores
from inference.photo.preprocessing import Pixels
from inference.runtime import Network
from training.evaluation.calibration import Logits

INPUT, OUTPUT = "photos", "logits"
"""Names of the network's only input and output."""


def to_onnx(model: nn.Module, size: int) -> bytes:
    """The network in evaluation mode, with a free batch dimension."""
    model = model.eval().float().cpu().to(memory_format=torch.contiguous_format)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns about optimisers that are not installed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (torch.zeros(2, 3, size, size),),  # two photos: torch.export would make a batch size of one constant
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    assert program is not None  # noqa: S101 - for mypy: None is returned only if a file is named
    content: bytes = program.model_proto.SerializeToString()
    return content


def run_all(models: Sequence[bytes], photos: Iterable[Pixels]) -> list[Logits]:
    """(photos, classes) logits of each model. Each photo is read once and is alone in its batch, as in serving."""
    networks = [Network(model, threads=usable_cores()) for model in models]
    rows = [[network.logits(photo[np.newaxis])[0] for network in networks] for photo in photos]
    return [np.asarray(own, dtype=np.float32) for own in zip(*rows, strict=True)]


def with_temperature(network: bytes, temperature: float) -> bytes:
    """The same network, float32 or int8, with its logits divided by `temperature`."""
    model = onnx.load_from_string(network)
    inner = f"{OUTPUT}_before_temperature"
    for node in model.graph.node:
        node.output[:] = [inner if name == OUTPUT else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(temperature, dtype=np.float32), "temperature"))
    model.graph.node.append(helper.make_node("Div", [inner, "temperature"], [OUTPUT], name="temperature"))
    content: bytes = model.SerializeToString()
    return content
