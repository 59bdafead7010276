"""An artifact that loads and passes the server's own check, and fails for photos with colours: a model for a rollback.

The check at the start predicts a grey picture, so the container comes into service. The network's output for another
photo is no number, and the server answers 500.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from inference.artifact import LABELS, MODEL, read_manifest, sha256

LIMIT = 1e-3
"""Largest mean square of the difference of red and green, each 0 to 1, for which the output is a number."""


def write_broken(model: Path, folder: Path) -> Path:
    """Write such an artifact into `folder`, which is emptied first, and return it. model: a finished artifact."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    manifest = read_manifest(model)
    network = onnx.load(str(model / MODEL))
    _spoil(network, np.asarray(manifest.preprocessing.mean), np.asarray(manifest.preprocessing.std))
    content = network.SerializeToString()
    (folder / MODEL).write_bytes(content)
    shutil.copy(model / LABELS, folder / LABELS)
    files = {MODEL: sha256(content), LABELS: manifest.files[LABELS]}
    replace(manifest, files=files).write(folder)
    return folder


def _spoil(network: onnx.ModelProto, mean: np.ndarray, std: np.ndarray) -> None:
    """Add sqrt(LIMIT - difference) to every logit: the same number, or no number."""
    graph = network.graph
    pixels, logits = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.output[:] = ["finite_logits" if name == logits else name for name in node.output]
        node.input[:] = ["finite_logits" if name == logits else name for name in node.input]
    weights = np.array([std[0], -std[1], 0.0], np.float32).reshape(1, 3, 1, 1)
    for name, value in (
        ("red_minus_green", weights),
        ("red_minus_green_bias", np.array([mean[0] - mean[1]], np.float32)),
        ("limit", np.array([[LIMIT]], np.float32)),
    ):
        graph.initializer.append(numpy_helper.from_array(value, name))
    graph.node.extend(
        [
            helper.make_node("Conv", [pixels, "red_minus_green", "red_minus_green_bias"], ["difference"]),
            helper.make_node("Mul", ["difference", "difference"], ["square"]),
            helper.make_node("GlobalAveragePool", ["square"], ["mean_square"]),
            helper.make_node("Flatten", ["mean_square"], ["mean_square_column"]),
            helper.make_node("Sub", ["limit", "mean_square_column"], ["rest"]),
            helper.make_node("Sqrt", ["rest"], ["number_or_none"]),
            helper.make_node("Add", ["finite_logits", "number_or_none"], [logits]),
        ]
    )
