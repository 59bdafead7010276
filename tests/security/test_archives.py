"""A model.tar.gz of any origin is an artifact or is refused with a sentence. Nothing in it is run or unpickled."""

import gzip
import io
import json
import pickle
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.archive import Limits
from inference.artifact import MANIFEST, ArtifactError
from inference.classifier import Classifier
from ops.model.archive import unpacked
from tests.builders import any_photo, write_artifact

Add = Callable[..., None]
Hostile = Callable[[Add], None]


class _Endless(io.RawIOBase):
    """A stream of `size` zeros."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        given = min(size, self._left)
        self._left -= given
        return bytes(given)


def archive(path: Path, *hostile: Hostile, artifact: Path | None = None, first: bool = False) -> Path:
    """A gzipped tar of an artifact, and of the members that `hostile` adds."""
    artifact = artifact or write_artifact(path.parent / "model")
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:

        def add(name: str, content: bytes = b"", size: int | None = None, **fields: Any) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content) if size is None else size
            for field, value in fields.items():
                setattr(member, field, value)
            tar.addfile(member, io.BytesIO(content) if size is None else _Endless(size))

        for make in hostile if first else ():
            make(add)
        for file in sorted(artifact.iterdir()):
            add(file.name, file.read_bytes())
        for make in () if first else hostile:
            make(add)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught, unpacked(path):
        pass
    message = str(caught.value)
    assert message.startswith(path.name)
    assert message.endswith(".")
    assert "\n" not in message
    return message


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("pickle-was-loaded"),))


def many(add: Add) -> None:
    for number in range(1001):
        add(f"note-{number}")


HOSTILE: dict[str, tuple[Hostile, str]] = {
    "a path to a parent folder": (lambda add: add("../evil", b"x"), "outside the folder"),
    "a path to a parent folder in the middle": (lambda add: add("a/../../evil", b"x"), "outside the folder"),
    "an absolute path": (lambda add: add("/tmp/evil", b"x"), "outside the folder"),
    "a path with backslashes": (lambda add: add("..\\evil", b"x"), "outside the folder"),
    "a path with a drive letter": (lambda add: add("C:/evil", b"x"), "outside the folder"),
    "a symbolic link": (lambda add: add("evil", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a link"),
    "a hard link": (lambda add: add("evil", type=tarfile.LNKTYPE, linkname="labels.json"), "a link"),
    "a character device": (lambda add: add("evil", type=tarfile.CHRTYPE, devmajor=1, devminor=5), "a device"),
    "a block device": (lambda add: add("evil", type=tarfile.BLKTYPE, devmajor=8), "a device"),
    "a pipe": (lambda add: add("evil", type=tarfile.FIFOTYPE), "a pipe"),
    "a file with holes": (lambda add: add("evil", type=tarfile.GNUTYPE_SPARSE), "with holes"),
    "a type that does not exist": (lambda add: add("evil", type=b"Z"), "a device"),
    "a setuid program": (lambda add: add("evil", b"x", mode=0o4755), "setuid"),
    "a program": (lambda add: add("code/evil.sh", b"#!/bin/sh", mode=0o755), "'code/evil.sh', an executable"),
    "a name twice": (lambda add: add("model.onnx", b"other"), "'model.onnx' twice"),
    "a name twice in another spelling": (lambda add: add("./model.onnx", b"other"), "'model.onnx' twice"),
    "a manifest twice": (lambda add: add("./manifest.json", b"{}"), "'manifest.json' twice"),
    "many files": (many, "more than 1000 files and folders"),
}


@pytest.mark.parametrize(("make", "sentence"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("first", [False, True], ids=["after", "before"])
def test_a_hostile_member_is_refused(tmp_path: Path, make: Hostile, sentence: str, first: bool) -> None:
    path = archive(tmp_path / "model.tar.gz", make, first=first)
    before = sorted(tmp_path.rglob("*"))

    assert sentence in refusal(path)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/evil").exists()


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.model.archive.LIMITS", Limits(unpacked_bytes=2**26, members=1000))
    path = archive(tmp_path / "model.tar.gz", lambda add: add("notes.txt", size=2**28))
    assert "unpacks to more than 0.0625 GiB" in refusal(path)


@pytest.mark.parametrize("type", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_claims_gigabytes_is_refused(tmp_path: Path, type: bytes) -> None:
    header = tarfile.TarInfo("evil")
    header.type, header.size = type, 2**32
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
    assert "the header of a member claims 4294967" in refusal(path)


def test_deeply_nested_headers_are_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("evil")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress((header.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0")) * 5000))
    assert "the header of a member claims" in refusal(path)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "model")
    (artifact / "model.onnx").write_bytes(b"other")
    message = refusal(archive(tmp_path / "model.tar.gz", artifact=artifact))
    assert "model.onnx has the SHA-256 d9298a10d1b0, but the manifest says" in message


def test_a_manifest_that_names_a_path_is_refused(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "model")
    document = json.loads((artifact / MANIFEST).read_text())
    document["files"]["../evil"] = "0" * 64
    (artifact / MANIFEST).write_text(json.dumps(document))
    assert "'../evil' is not the name of a file next to the manifest" in refusal(
        archive(tmp_path / "model.tar.gz", artifact=artifact)
    )


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.99])
def test_an_archive_that_was_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    path = archive(tmp_path / "model.tar.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "again" in refusal(path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"PK\x03\x04" + bytes(100),
        pickle.dumps(Trap()),
        gzip.compress(b""),
        gzip.compress(pickle.dumps(Trap())),
    ],
    ids=["text", "zip", "pickle", "empty gzip", "gzipped pickle"],
)
def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(content)
    refusal(path)
    assert not Path("pickle-was-loaded").exists()


def test_no_mutation_of_an_archive_raises_anything_but_a_refusal(tmp_path: Path) -> None:
    artifact, dice = write_artifact(tmp_path / "model"), random.Random(0)
    sound = gzip.decompress(archive(tmp_path / "model.tar.gz", artifact=artifact).read_bytes())
    path, outcomes = tmp_path / "changed.tar.gz", {"sound": 0, "refused": 0}
    for _ in range(300):
        changed = bytearray(sound)
        for _ in range(dice.randint(1, 4)):
            changed[dice.randrange(512) + 512 * dice.randrange(len(sound) // 512)] = dice.choice((0, 48, 0x80, 255))
        path.write_bytes(gzip.compress(bytes(changed), 1))
        try:
            with unpacked(path) as folder:
                assert {file.name for file in folder.iterdir()} <= {file.name for file in artifact.iterdir()}
                outcomes["sound"] += 1
        except ArtifactError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10


def test_a_valid_archive_can_predict_and_leaves_no_files(tmp_path: Path) -> None:
    path = archive(tmp_path / "model.tar.gz", lambda add: add("notes.txt", b"trained on a Monday"))
    with unpacked(path) as folder:
        assert sorted(file.name for file in folder.iterdir()) == ["labels.json", "manifest.json", "model.onnx"]
        classifier = Classifier(folder)
    assert not folder.exists()
    assert classifier.predict(any_photo(), top_k=1)[0].breed == "Beagle"


def test_an_archive_of_the_folder_itself_is_accepted(tmp_path: Path) -> None:
    path, artifact = tmp_path / "model.tar.gz", write_artifact(tmp_path / "model")
    with tarfile.open(path, "w:gz") as tar:
        tar.add(artifact, ".")
    with unpacked(path) as folder:
        assert Classifier(folder).predict(any_photo())


def test_a_pickle_in_the_archive_is_neither_unpacked_nor_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "model.tar.gz", lambda add: add("model.pth", pickle.dumps(Trap())))

    def trap(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled")

    for module in (pickle, __import__("_pickle")):
        for name in ("Unpickler", "_Unpickler", "load", "loads", "_load", "_loads"):
            monkeypatch.setattr(module, name, trap, raising=False)
    with unpacked(path) as folder:
        assert not (folder / "model.pth").exists()
        assert Classifier(folder).predict(any_photo())
    assert not Path("pickle-was-loaded").exists()


def test_kennel_predict_accepts_an_archive_and_says_what_is_wrong_with_one(tmp_path: Path) -> None:
    photo = tmp_path / "rex.jpg"
    photo.write_bytes(any_photo())

    def predict(path: Path) -> subprocess.CompletedProcess[str]:
        kennel = [sys.executable, "-c", "from ops.cli import main; main()"]
        command = [*kennel, "predict", str(photo), "--model", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    sound = predict(archive(tmp_path / "model.tar.gz"))
    assert (sound.returncode, sound.stderr) == (0, "")
    assert "rex.jpg: Beagle" in sound.stdout
    hostile = predict(archive(tmp_path / "evil.tar.gz", HOSTILE["a symbolic link"][0]))
    assert (hostile.returncode, hostile.stdout) == (1, "")
    assert hostile.stderr == "kennel: evil.tar.gz: it contains 'evil', a link; pack the files themselves.\n"
