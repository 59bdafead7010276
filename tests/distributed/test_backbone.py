"""Another backbone goes all the way: trained in both modes, exported, and served."""

import ast
import configparser
import re
from pathlib import Path

import pytest
from safetensors.torch import load_file

from inference.classifier import Classifier
from tests.distributed import ranks, work
from tests.distributed.dogs import any_photo, settings, write_photos
from tests.distributed.small_network import SMALL, write_weights
from training.model.backbone import RESNET50


@pytest.mark.parametrize(("mode", "precision"), [("frozen", "auto"), ("full", "fp32")])
def test_another_backbone_is_trained_exported_and_served(tmp_path: Path, mode: str, precision: str) -> None:
    write_photos(tmp_path / "photos")
    write_weights(tmp_path / "weights.safetensors")
    config = settings(tmp_path, mode=mode, precision=precision, epochs=10)
    ranks.run(work.main, config, size=1, folder=tmp_path / "logs")
    classifier = Classifier(config.model_dir)
    saved = load_file(config.model_dir / "model.safetensors")
    given = load_file(tmp_path / "weights.safetensors")

    for breed in classifier.labels:
        assert classifier.predict(any_photo(breed, seed=12345))[0].breed == breed
    assert saved.keys() == SMALL.build(3, True).state_dict().keys()
    # exact: frozen mode copies these weights from the file and trains the head alone; full mode trains them too
    assert saved["early.0.weight"].equal(given["early.0.weight"]) == (mode == "frozen")


def test_no_layer_of_the_other_backbone_is_named_as_in_resnet50() -> None:
    """Otherwise code that names a layer of ResNet50 could pass the tests of the other one."""
    names = [{name.split(".")[0] for name, _ in each.build(3, True).named_children()} for each in (SMALL, RESNET50)]
    assert names[0].isdisjoint(names[1])
    assert SMALL.width != RESNET50.width


REPOSITORY = Path(__file__).resolve().parents[2]
DECLARATION = REPOSITORY / "training" / "model" / "backbone.py"
WITHOUT_TORCH = REPOSITORY / "ops" / "weights" / "resnet50.py"
"""The names and shapes of the same network; tests/unit/test_weights_check.py compares them with it."""
LAYERS = re.compile(rf"({'|'.join([RESNET50.head, *RESNET50.stages])})(\.|$)")


def architecture(source: str) -> list[str]:
    """What in the code, docstrings aside, depends on ResNet50: names of its layers, its width, and torchvision."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if LAYERS.match(name):
                found.append(name)
            case ast.Constant(value=RESNET50.width):
                found.append(str(RESNET50.width))
            case ast.ImportFrom(module=str(name)) | ast.Import(names=[ast.alias(name=name)]) if "torchvision" in name:
                found.append(name)
    return found


def test_only_the_declaration_of_the_backbone_depends_on_resnet50() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(REPOSITORY / ".importlinter")
    packages = contracts["importlinter"]["root_packages"].split()
    declared_in = {DECLARATION, WITHOUT_TORCH}
    paths = [path for package in packages for path in (REPOSITORY / package).rglob("*.py") if path not in declared_in]
    named = {str(path.relative_to(REPOSITORY)): set(architecture(path.read_text())) for path in paths}
    # outside training, 2048 is the length of a queue or of a block
    width = {str(RESNET50.width)}
    unexpected = {name: found if name.startswith("training/") else found - width for name, found in named.items()}

    assert {name: found for name, found in unexpected.items() if found} == {}
    declared = {RESNET50.head, *RESNET50.stages}
    assert {"torchvision.models", "2048"} | declared <= set(architecture(DECLARATION.read_text()))
