"""Each command prints names that others chose: no control character comes out, and no line that it did not write."""

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.text import UNPRINTABLE
from ops import cli
from tests.builders import any_photo, write_artifact
from tests.unit.test_report_command import packed

ATTACK = "\x1b[2J\x1b]8;;http://a\x07\x9b31m\u202e\nFORGED line\r[red]"
NOT_UTF8 = os.fsdecode(b"caf\xe9")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
BUCKET = "kennel-artifacts"

Kennel = Callable[..., str]


@pytest.fixture
def kennel(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Kennel]:
    """Runs a command as the program does, and returns what it printed on both streams."""

    def run(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["kennel", *map(str, words)])
        capfd.readouterr()
        with contextlib.suppress(SystemExit):
            cli.main()
        printed = capfd.readouterr()
        return printed.out + printed.err

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of photos whose names attack a terminal. One is broken, one is there twice, one is of another kind."""
    folder = tmp_path / f"dogs {ATTACK.replace('/', '')}"
    for split in ("train", "valid", "test"):
        for label in ("Beagle", "Boxer"):
            breed = folder / split / label
            breed.mkdir(parents=True)
            for number, name in enumerate(("a", NOT_UTF8, ATTACK.replace("/", ""))):
                (breed / f"{name}.jpg").write_bytes(any_photo(detail_seed=number))
            (breed / f"broken {ATTACK.replace('/', '')}.jpg").write_bytes(b"no photo")
            (breed / f"notes {ATTACK.replace('/', '')}.t{ATTACK.replace('/', '')}").write_bytes(b"")
    return folder


def check(printed: str, *expected: str) -> None:
    for text in expected:
        assert text in printed
    assert UNPRINTABLE.findall(COLOUR.sub("", printed).replace("\n", "")) == []
    assert [line for line in printed.splitlines() if line.startswith("FORGED")] == []


def test_data_check(kennel: Kennel, photos: Path, tmp_path: Path) -> None:
    sheet = tmp_path / f"sheet {ATTACK.replace('/', '')}.png"

    check(kennel("data", "check", photos, "--sheet", sheet), "FORGED", "caf\\xe9", "broken")
    document = kennel("data", "check", photos, "--sheet", sheet, "--json")
    check(document, "FORGED")
    assert json.loads(document[document.index("{") : document.rindex("}") + 1])["folder"] == str(photos)


def test_data_upload(kennel: Kennel, photos: Path, s3: Any) -> None:
    check(kennel("data", "upload", photos, f"s3://{BUCKET}/data"), "not UTF-8")
    for path in photos.rglob("*caf*"):
        path.unlink()
    s3.put_object(Bucket=BUCKET, Key=f"data/train/Boxer/{ATTACK.replace('/', '')}2.jpg", Body=b"x")

    check(kennel("data", "upload", photos, f"s3://{BUCKET}/data"), "photos in the bucket are not in", "FORGED")


@pytest.mark.usefixtures("s3")
@pytest.mark.parametrize(
    "words",
    [
        ("data", "check"),
        ("data", "upload"),
        ("rehearse", "--without-aws", "--data"),
        ("rehearse", "--without-aws", "--pretrained"),
        ("rehearse", "--model"),
        ("weights", "upload"),
        ("predict", "--model"),
        ("report",),
        ("cost", "--templates"),
        ("cost", "-c"),
        ("preflight", "--stacks"),
        ("preflight", "-c"),
        ("data", "version"),
        ("--env",),
        (),
    ],
)
def test_what_is_not_there(kennel: Kennel, words: tuple[str, ...], tmp_path: Path) -> None:
    folder = ("--folder", tmp_path / "rehearsal") if words[:1] == ("rehearse",) else ()
    photo = ("rex.jpg",) if words[:1] == ("predict",) else ()

    check(kennel(*words[:1], *folder, *photo, *words[1:], f"missing{ATTACK}.safetensors"), "issing")


def test_predict(kennel: Kennel, tmp_path: Path) -> None:
    model = write_artifact(tmp_path / "model")
    names = [f"{name}.jpg" for name in ("a", NOT_UTF8, ATTACK.replace("/", ""))]
    for name in names:
        (tmp_path / name).write_bytes(any_photo())
    broken = tmp_path / f"broken {names[-1]}"
    broken.write_bytes(b"no photo")

    check(kennel("predict", "--model", model, *(tmp_path / name for name in names), broken), "Beagle", "FORGED")


def test_an_artifact_with_such_a_label(kennel: Kennel, tmp_path: Path) -> None:
    model = write_artifact(tmp_path / "model", [f"Pug{ATTACK}", "Boxer"])
    photo = tmp_path / "rex.jpg"
    photo.write_bytes(any_photo())

    check(kennel("predict", photo, "--model", model), "cannot be printed")


def test_report(kennel: Kennel, s3: Any, tmp_path: Path) -> None:
    key = f"training/{ATTACK}/output/output.tar.gz"
    s3.put_object(Bucket=BUCKET, Key=key, Body=packed({"report/index.html": b"<!doctype html>"}))

    check(kennel("report", f"s3://{BUCKET}/{key}", "--to", tmp_path), "The report:")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    check(kennel("report", f"s3://{BUCKET}/no{key}", "--to", tmp_path), "There is no")


def test_a_fault_of_kennel_itself(kennel: Kennel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"a bug {ATTACK}")

    monkeypatch.setattr("sample_dogs.dataset.write_sample", fail)

    check(kennel("data", "sample", tmp_path), "Traceback", "RuntimeError: a bug")
