"""With LC_ALL=C and PYTHONUTF8=0, under a path that is not ASCII, each command works as in any other locale."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import any_photo, write_artifact
from tests.unit.test_data_check import write_photos

ROOT = Path(__file__).resolve().parents[2]
LOCALE = {"PYTHONUTF8": "0", "LC_ALL": "C"}
KENNEL = ("-c", "from ops.cli import main; main()")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "Größe 犬"
    path.mkdir()
    return path


def python(*words: object, folder: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **LOCALE, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, words)]
    ended = subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, check=False)
    return subprocess.CompletedProcess(command, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def test_a_program_is_started_again_once_with_its_arguments_and_its_input(folder: Path) -> None:
    (folder / "program.py").write_text(
        "import os, sys\n"
        "print('started', os.getpid(), flush=True)\n"
        "from contract.utf8_mode import start_in_utf8_mode\n"
        "start_in_utf8_mode()\n"
        "print(sys.flags.utf8_mode, ascii(os.getcwd()), ascii(sys.argv[1:]), sys.stdin.read())\n",
        encoding="utf-8",
    )

    ended = python("-W", "error", "program.py", "ü", "--x=1", folder=folder, stdin="é".encode())

    assert ended.returncode == 0, ended.stderr
    first, second, last = ended.stdout.splitlines()
    assert first == second
    assert last == f"1 {str(folder)!a} {['ü', '--x=1']!a} é"


def test_a_program_in_another_locale_is_not_started_again(folder: Path) -> None:
    code = "from contract.utf8_mode import start_in_utf8_mode; start_in_utf8_mode(); print('once')"
    command = [sys.executable, "-c", f"print('begun'); {code}"]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}

    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)

    assert ended.stdout == "begun\nonce\n"


@pytest.mark.slow
def test_a_network_whose_code_is_under_such_a_path_is_exported(folder: Path) -> None:
    """torch writes the path of the code into what it exports."""
    (folder / "exported.py").write_text(
        "from contract.utf8_mode import start_in_utf8_mode\n"
        "start_in_utf8_mode()\n"
        "import torch\n"
        "from training.export.onnx_graph import to_onnx\n"
        "class Network(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Conv2d(3, 2, 8)\n"
        "    def forward(self, photos):\n"
        "        return self.layer(photos).flatten(1)\n"
        "print(len(to_onnx(Network(), 8)) > 500)\n",
        encoding="utf-8",
    )

    ended = python("exported.py", folder=folder)

    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr


def test_photos_are_predicted(folder: Path) -> None:
    model = write_artifact(folder / "Modell", ["Löwchen", "Pug"])
    (folder / "Hündin.jpg").write_bytes(any_photo())

    ended = python(*KENNEL, "predict", folder / "Hündin.jpg", "--model", model, folder=folder)
    as_json = python(
        *KENNEL, "predict", "Hündin.jpg", "-", "--model", "Modell", "--json", folder=folder, stdin=any_photo()
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"{folder}/Hündin.jpg: ")
    assert "Löwchen" in ended.stdout
    assert [json.loads(line)["photo"] for line in as_json.stdout.splitlines()] == ["Hündin.jpg", "-"]


def test_photos_are_checked(folder: Path) -> None:
    write_photos(folder / "Fotos")
    (folder / "Fotos" / "train" / "Pug").rename(folder / "Fotos" / "train" / "Löwchen")

    ended = python(*KENNEL, "data", "check", folder / "Fotos", "--sheet", folder / "Bögen" / "s.png", folder=folder)

    assert "Traceback" not in ended.stderr
    assert "Löwchen" in ended.stdout
    assert f"Image of the findings: {folder}/Bögen/s.png" in ended.stdout
    assert (folder / "Bögen" / "s.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "words",
    [
        ("rehearse", "--without-aws", "--folder", "Größe", "--pretrained", "fehlt ü.safetensors"),
        ("rehearse", "--folder", "Größe", "--data", "fehlt ü.safetensors"),
        ("weights", "upload", "fehlt ü.safetensors"),
        ("data", "upload", "fehlt ü.safetensors"),
        ("cost", "--templates", "fehlt ü.safetensors"),
    ],
    ids=" ".join,
)
def test_an_error_names_the_path_as_it_is(folder: Path, words: tuple[str, ...]) -> None:
    ended = python(*KENNEL, *words, folder=folder)

    assert ended.returncode == 1
    assert "fehlt ü.safetensors" in ended.stderr
    assert "Traceback" not in ended.stderr


def entry_points() -> list[Path]:
    """Modules that are started, beside those that another program of this repository starts."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [
        path
        for path in map(ROOT.joinpath, listed.splitlines())
        if path != ROOT / "ops" / "retrain" / "model_trainer.py"  # kennel retrain starts it
        and path.relative_to(ROOT).parts[0] in ("app.py", "environments", "ops", "training")
        and ('if __name__ == "__main__":' in path.read_text(encoding="utf-8") or path == ROOT / "ops" / "cli.py")
    ]


@pytest.mark.parametrize("path", entry_points(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_program_begins_in_utf8_mode(path: Path) -> None:
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]

    assert "start_in_utf8_mode" in calls


def test_the_programs_are_found() -> None:
    assert {"app.py", "cli.py", "train.py", "solution.py", "ami.py"} <= {path.name for path in entry_points()}
