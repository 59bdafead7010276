"""What every benchmark has: inputs that its caller names, and the processor in its output."""

import argparse
import platform
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import inputs, processor

ROOT = Path(__file__).resolve().parents[2]
THIS = Path(__file__).resolve()
COMMANDS = [
    path
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if "ArgumentParser(" in path.read_text() and path.name != "course_script.py"  # a step of `make bench-training`
]
OUTSIDE = re.compile(r"""\.\./shared|["']shared["']\)?\s*/|/\s*["']shared["']|\b(ROOT|REPOSITORY)\.parent\b""")
"""A path beside the checkout, which exists on one machine only."""


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    inputs.add_options(parser, weights="random ones")
    return parser.parse_args(words)


def test_no_file_names_a_folder_beside_the_checkout() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = [ROOT / name for name in listed.splitlines() if name.endswith((".py", ".md", ".sh", ".toml", "Makefile"))]
    texts = {path: path.read_text() for path in files if path.is_file() and path != THIS}

    assert len(texts) > 100
    assert [str(path) for path, text in texts.items() if OUTSIDE.search(text)] == []


def test_photos_and_weights_come_from_the_options_before_the_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine", "yours"):
        (tmp_path / name / "test").mkdir(parents=True)
        (tmp_path / f"{name}.safetensors").touch()
    monkeypatch.setenv(inputs.PHOTOS, str(tmp_path / "mine"))
    monkeypatch.setenv(inputs.WEIGHTS, str(tmp_path / "mine.safetensors"))
    named = ["--data", str(tmp_path / "yours"), "--weights", str(tmp_path / "yours.safetensors")]

    assert parsed() == argparse.Namespace(data=tmp_path / "mine", weights=tmp_path / "mine.safetensors")
    assert parsed(*named) == argparse.Namespace(data=tmp_path / "yours", weights=tmp_path / "yours.safetensors")


@pytest.mark.parametrize(("variable", "option"), [(inputs.PHOTOS, "--data"), (inputs.WEIGHTS, "--weights")])
def test_a_path_that_does_not_exist_is_refused_with_the_option_and_the_variable(
    variable: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "missing"))

    with pytest.raises(SystemExit):
        parsed()
    message = capsys.readouterr().err
    assert str(tmp_path / "missing") in message
    assert f"({option} or {variable})" in message


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_each_benchmark_prints_the_processor(path: Path) -> None:
    assert re.search(r"^ +print_processor\(\)$", path.read_text(), re.MULTILINE)


def test_the_commands_of_the_benchmarks_are_found() -> None:
    assert len(COMMANDS) > 10


def test_the_processor_is_described_by_its_model_and_its_instruction_sets(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: Example 9000\nflags\t\t: fpu avx2 avx512_vnni\n\nmodel name\t: Other\n")

    assert processor.described(cpuinfo).startswith("processor: Example 9000 (avx2, avx512_vnni), ")


def test_a_system_without_a_model_name_is_described_by_its_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "arm64")

    assert processor.model(tmp_path / "cpuinfo") == "arm64"
