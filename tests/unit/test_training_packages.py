"""The packages of a training host: every version and hash, the versions of the lock, and nothing that the host has."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
JOB, HOST = ROOT / "training" / "requirements.txt", ROOT / "training" / "requirements-host.txt"
IMAGE = ROOT / "locks" / "training-image.txt"
EACH = pytest.mark.parametrize("file", [JOB, HOST], ids=lambda file: file.name)


def pins(file: Path) -> dict[str, set[str]]:
    """Name to versions: a lock for several Pythons may have several."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==([^ \n]+)", file.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def needed_by(*names: str) -> dict[str, list[Requirement]]:
    """What these packages need on Linux: each package's name with the requirements on it, over all levels."""
    found: dict[str, list[Requirement]] = {}
    open_names = list(names)
    while open_names:
        for text in requires(open_names.pop()) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                name = canonicalize_name(requirement.name)
                if name not in found:
                    open_names.append(name)
                found.setdefault(name, []).append(requirement)
    return found


@EACH
def test_every_line_has_a_version_and_a_hash(file: Path) -> None:
    entries = re.split(r"\n(?=\S)", file.read_text().strip())
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9-]+==\S+( ; .+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry


@EACH
def test_the_versions_are_those_of_the_lock(file: Path) -> None:
    lock = pins(ROOT / "locks" / "kennel.txt")
    assert pins(file) == {name: lock[name] for name in pins(file)}


def test_the_job_installs_what_the_image_lacks_and_nothing_that_it_has() -> None:
    """pip refuses a dependency that has no hash and is not there already, so the job would end before it trains."""
    job, image = set(pins(JOB)), set(pins(IMAGE))
    assert {"onnx", "onnxruntime", "onnxscript", "openvino", "safetensors"} <= job
    assert job & image == set()
    assert needed_by(*job).keys() - job == image


def test_the_images_versions_are_new_enough_for_what_the_job_installs() -> None:
    needed = needed_by(*pins(JOB))
    for name, (version,) in pins(IMAGE).items():
        for requirement in needed[name]:
            assert requirement.specifier.contains(version), (
                f"the image has {name} {version}, but {requirement} is needed"
            )


def test_a_host_with_torch_installs_all_else_and_nothing_of_torchs() -> None:
    host, torch = set(pins(HOST)), {"torch", "torchvision", *needed_by("torch", "torchvision")}
    shared = host & torch
    assert shared == set()
    assert needed_by(*host).keys() - host <= torch
