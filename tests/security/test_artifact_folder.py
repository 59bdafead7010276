"""Links and programs next to a model are refused, and so is a model that is more than an image classifier."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inference import artifact, graph
from inference.artifact import ArtifactError
from tests.builders import network, onnx_model, write_artifact


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_artifact(tmp_path / "model")


def refusal(folder: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        artifact.load(folder)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def test_a_program_beside_the_model_is_refused(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text("import os")
    (folder / "code" / "inference.py").chmod(0o744)
    assert "code/inference.py in" in refusal(folder)
    assert "is executable and is not in the manifest" in refusal(folder)


def test_notes_beside_the_model_are_allowed(folder: Path) -> None:
    (folder / "README.txt").write_text("trained on a Monday")
    assert artifact.load(folder)


def test_files_in_the_manifest_may_have_any_mode(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o777)  # as on file systems without modes
    assert artifact.load(folder)


@pytest.mark.parametrize("target", ["/etc/passwd", "../model/labels.json", "labels.json", "/nowhere"])
def test_a_link_beside_the_model_is_refused(folder: Path, target: str) -> None:
    (folder / "extra").symlink_to(target)
    assert "extra in" in refusal(folder)
    assert "is a link" in refusal(folder)


def test_a_link_to_a_folder_is_refused_and_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "program").touch(0o755)
    (folder / "code").symlink_to(tmp_path / "elsewhere")
    assert "code in" in refusal(folder)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", "..", "", "a\\b", "C:evil", "a\0b", "a\nb"])
def test_a_manifest_that_names_a_path_is_refused(folder: Path, name: str) -> None:
    document = json.loads((folder / artifact.MANIFEST).read_text())
    document["files"][name] = "0" * 64
    (folder / artifact.MANIFEST).write_text(json.dumps(document))
    assert "is not the name of a file next to the manifest" in refusal(folder)


def test_a_file_of_absurd_size_is_not_read(folder: Path) -> None:
    os.truncate(folder / artifact.LABELS, 2**40)  # a sparse file of a terabyte
    assert "has 1099511627776 bytes" in refusal(folder)


def test_a_manifest_cannot_make_photos_scale_to_gigapixels(folder: Path) -> None:
    document = json.loads((folder / artifact.MANIFEST).read_text())
    document["preprocessing"]["resize"] = document["preprocessing"]["crop"] = 30_000
    (folder / artifact.MANIFEST).write_text(json.dumps(document))
    assert "must be at most 1024 pixels" in refusal(folder)


# -- the network -----------------------------------------------------------------------------------------------------


def changed(change: Callable[[Any], object]) -> bytes:
    """The bytes of a valid model after `change`."""
    model = onnx.load_from_string(network(3))
    change(model)
    content: bytes = model.SerializeToString()
    return content


def external(model: Any, location: str) -> None:
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    weight.ClearField("raw_data")


def add_node(operator: str, **options: Any) -> Callable[[Any], object]:
    return lambda model: model.graph.node.append(helper.make_node(operator, ["photos"], ["unused"], **options))


def huge(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [2**31, 2**31]


def text(model: Any) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(["dog"], dtype=object), "words"))


def function(model: Any) -> None:
    body = [helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(helper.make_function("dogs", "Bark", ["x"], ["y"], body, [helper.make_opsetid("", 17)]))


def large_padding(model: Any) -> None:
    weight = numpy_helper.from_array(np.zeros((1, 3, 1, 1), np.float32), "kernel")
    model.graph.initializer.append(weight)
    padding = [2**30] * 4
    model.graph.node.append(helper.make_node("Conv", ["photos", "kernel"], ["unused"], pads=padding))


def sub_graph(model: Any) -> None:
    body = helper.make_graph([helper.make_node("Identity", ["photos"], ["y"])], "body", [], [])
    model.graph.node.append(helper.make_node("Identity", ["photos"], ["unused"], hidden=body))


def sparse(model: Any) -> None:
    model.graph.sparse_initializer.add().dims[:] = [2**40]


def many_nodes(model: Any) -> None:
    model.graph.node.extend([model.graph.node[0]] * graph.MAX_NODES)


REFUSED: dict[str, tuple[Callable[[Any], object], str]] = {
    "weights in another folder": (lambda model: external(model, "../secret.bin"), "weights are in another file"),
    "weights at an absolute path": (lambda model: external(model, "/etc/passwd"), "weights are in another file"),
    "weights next to the model": (lambda model: external(model, "weights.bin"), "weights are in another file"),
    "a tensor of exabytes": (huge, "a tensor claims 4611686018427387904 elements"),
    "a tensor of text": (text, "a tensor of text"),
    "an operator of a custom domain": (add_node("Bark", domain="dogs"), "the operator 'dogs.Bark'"),
    "an operator of the runtime's own": (add_node("FusedConv", domain="com.microsoft"), "com.microsoft.FusedConv"),
    "a loop": (add_node("Loop"), "the operator 'Loop'"),
    "a size that depends on the data": (add_node("Expand"), "the operator 'Expand'"),
    "a tensor created from a size": (add_node("ConstantOfShape"), "the operator 'ConstantOfShape'"),
    "an operator defined in the file": (function, "its own operators"),
    "a padding larger than the memory": (large_padding, "pads is [1073741824"),
    "a graph in an operator": (sub_graph, "contains a graph"),
    "sparse tensors": (sparse, "sparse tensors"),
    "a training graph": (lambda model: model.training_info.add(), "a training graph"),
    "very many operators": (many_nodes, "it has 20003 operators"),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_model_that_is_more_than_an_image_classifier_is_refused(
    tmp_path: Path, change: Callable[[Any], object], sentence: str
) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(36))
    message = refusal(write_artifact(tmp_path / "model", model=changed(change)))
    assert sentence in message
    assert message.startswith("model.onnx in ")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x3b", b"\x3a\xff\xff\xff\xff\x0f", b"\xff" * 20, b"\x3a\x02\x0a", 2 * network(3)],
    ids=["nothing", "a group", "a wrong length", "a number without an end", "cut off", "two models"],
)
def test_bytes_that_are_not_a_model_are_refused(content: bytes) -> None:
    with pytest.raises(graph.GraphError):
        graph.check(content)


def test_no_mutation_of_a_model_raises_anything_but_a_refusal() -> None:
    dice, sound, refused = random.Random(0), network(3), 0
    for _ in range(3000):
        content = bytearray(sound)
        for _ in range(dice.randint(1, 4)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        try:
            graph.check(bytes(content))
        except graph.GraphError:
            refused += 1
    assert 100 < refused < 3000


def test_a_valid_network_is_accepted() -> None:
    graph.check(network(133))
    constant = numpy_helper.from_array(np.ones(3, np.float32))
    graph.check(
        onnx_model(
            [
                helper.make_node("Conv", ["photos", "kernel"], ["seen"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
                helper.make_node("Constant", [], ["one"], value=constant),
                helper.make_node("GlobalAveragePool", ["seen"], ["pooled"]),
                helper.make_node("Flatten", ["pooled"], ["flat"]),
                helper.make_node("Add", ["flat", "one"], ["logits"]),
            ],
            {"kernel": np.zeros((3, 3, 3, 3))},
            output_shape=["batch", 3],
        )
    )
