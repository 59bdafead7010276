"""An artifact is loaded only if it matches its manifest. Every error is a sentence with the remedy."""

import contextlib
import json
import os
import pickle
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference import artifact
from inference.artifact import ArtifactError, Manifest
from inference.classifier import Classifier
from inference.photo.preprocessing import Preprocessing
from tests.builders import LABELS, any_photo, network, write_artifact


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_artifact(tmp_path / "model")


def refusal(folder: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        artifact.load(folder)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def rewrite(folder: Path, name: str, content: bytes) -> None:
    """Change a file and update its checksum in the manifest."""
    (folder / name).write_bytes(content)
    edit(folder, files={**manifest_of(folder)["files"], name: artifact.sha256(content)})


def manifest_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / artifact.MANIFEST).read_text())
    return document


def edit(folder: Path, **changes: object) -> None:
    (folder / artifact.MANIFEST).write_text(json.dumps({**manifest_of(folder), **changes}))


def test_a_valid_artifact_is_loaded_completely(folder: Path) -> None:
    loaded = artifact.load(folder)

    assert loaded.labels == LABELS
    assert loaded.model == network(len(LABELS))
    assert loaded.manifest.preprocessing == Preprocessing.for_size(32)
    assert loaded.manifest.training == {"source": "tests"}
    assert loaded.manifest.id == manifest_of(folder)["id"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in message
    assert "--model-dir" in message


@pytest.mark.parametrize("name", [artifact.MODEL, artifact.LABELS, artifact.MANIFEST])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"no regular file {name}" in refusal(folder)


@pytest.mark.parametrize("name", [artifact.MODEL, artifact.LABELS, artifact.MANIFEST])
def test_a_link_is_refused_even_to_the_right_content(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert f"no regular file {name}" in refusal(folder)


@pytest.mark.parametrize("name", [artifact.MODEL, artifact.LABELS])
@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content + b" "])
def test_a_changed_file_is_refused(folder: Path, name: str, damage: Any) -> None:
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    message = refusal(folder)
    assert name in message
    assert "copy the artifact again" in message


@pytest.mark.parametrize("name", [artifact.MODEL, artifact.LABELS])
def test_a_file_that_the_manifest_does_not_list_is_refused(folder: Path, name: str) -> None:
    edit(folder, files={other: digest for other, digest in manifest_of(folder)["files"].items() if other != name})
    message = refusal(folder)
    assert name in message
    assert "has no checksum of" in message


def test_a_file_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, _: int) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)  # the tests may run as root, who may read every file
    assert f"manifest.json cannot be read by user {os.getuid()} (Permission denied)" in refusal(folder)


def test_a_named_pipe_is_refused_without_waiting_for_it(folder: Path) -> None:
    (folder / artifact.LABELS).unlink()
    os.mkfifo(folder / artifact.LABELS)
    assert "no regular file labels.json" in refusal(folder)


@pytest.mark.parametrize("format", ["kennel-artifact-2", None, 1])
def test_an_unknown_format_is_refused(folder: Path, format: object) -> None:
    edit(folder, format=format)
    message = refusal(folder)
    assert repr(format) in message
    assert artifact.FORMAT in message


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"3", b"null"])
def test_an_invalid_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / artifact.MANIFEST).write_bytes(content)
    assert "manifest.json" in refusal(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"files": None},
        {"files": ["model.onnx"]},
        {"preprocessing": None},
        {"preprocessing": {}},
        {"preprocessing": {"resize": 32, "crop": 33, "mean": [0, 0, 0], "std": [1, 1, 1]}},
        {"preprocessing": {"resize": 32, "crop": 0, "mean": [0, 0, 0], "std": [1, 1, 1]}},
        {"preprocessing": {"resize": float("inf"), "crop": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}},
        {"preprocessing": {"resize": 32, "crop": 32, "mean": [0, 0], "std": [1, 1, 1]}},
        {"training": 5},
    ],
)
def test_an_invalid_field_is_refused(folder: Path, change: dict[str, object]) -> None:
    edit(folder, **change)
    assert "has a missing or invalid field" in refusal(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["precision", "preprocessing", "files", "training"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.sets(st.sampled_from(FIELDS)))
@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_manifest_is_loaded_or_refused_with_an_artifact_error(
    folder: Path, changes: dict[str, Any], gone: set[str]
) -> None:
    valid = manifest_of(write_artifact(folder))
    document = {key: value for key, value in {**valid, **changes}.items() if key not in gone}
    (folder / artifact.MANIFEST).write_text(json.dumps(document))
    with contextlib.suppress(ArtifactError):
        artifact.load(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b"{}", b"[]", b'["Beagle"]', b'["Beagle", 1]', b'"ab"', b'{"a": 1, "b": 2}', b"\xff"],
)
def test_labels_that_are_not_a_list_of_breeds_are_refused(folder: Path, content: bytes) -> None:
    rewrite(folder, artifact.LABELS, content)
    message = refusal(folder)
    assert "labels.json" in message
    assert "train again" in message


@pytest.mark.parametrize("label", ["", "  ", "Pug\n", "Pug\x1b[2J", "Pug\u202e", "Pug\x9b1m", "Pug\ud800", "Pug\u200b"])
def test_a_breed_that_cannot_be_printed_is_refused(folder: Path, label: str) -> None:
    rewrite(folder, artifact.LABELS, json.dumps(["Beagle", label]).encode())
    message = refusal(folder)
    assert f"labels.json has the breed {label!r}, which cannot be printed" in message
    assert message.isprintable()


@pytest.mark.parametrize("label", ["سگ\u200cها", "👩\u200d🚒", "Älpler", "柴犬", "Shiba Inu"])  # noqa: RUF001 - Persian
def test_a_breed_of_any_script_is_loaded(folder: Path, label: str) -> None:
    rewrite(folder, artifact.LABELS, json.dumps(["Beagle", label]).encode())
    assert artifact.load(folder).labels == ("Beagle", label)


def test_a_breed_named_twice_is_refused(folder: Path) -> None:
    rewrite(folder, artifact.LABELS, b'["Beagle", "Boxer", "Beagle"]')
    assert "names a breed twice" in refusal(folder)


def test_the_id_covers_every_input_of_a_prediction_and_nothing_else(folder: Path) -> None:
    def id_of(**changes: Any) -> str:
        manifest = artifact.load(folder).manifest
        fields = {name: getattr(manifest, name) for name in ("precision", "preprocessing", "files", "training")}
        return Manifest(**{**fields, **changes}).id

    files = manifest_of(folder)["files"]
    same = id_of()
    assert id_of(training={"epochs": 9}) == same
    assert id_of(files={**files, "model.safetensors": "0"}) == same
    assert id_of(files={**files, artifact.MODEL: "0"}) != same
    assert id_of(files={**files, artifact.LABELS: "0"}) != same
    assert id_of(preprocessing=Preprocessing(resize=37, crop=33)) != same


def test_loading_and_predicting_unpickle_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trap(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a pickle was loaded")

    for name in ("Unpickler", "_Unpickler", "load", "loads", "_load", "_loads"):
        monkeypatch.setattr(pickle, name, trap)
    assert Classifier(folder).predict(any_photo())


def test_a_pickle_instead_of_a_file_is_refused_without_loading_it(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    for name in (artifact.MODEL, artifact.LABELS):
        write_artifact(folder)
        rewrite(folder, name, pickle.dumps(Trap()))
        with pytest.raises(ArtifactError):
            Classifier(folder)
    assert not (tmp_path / "sprung").exists()
