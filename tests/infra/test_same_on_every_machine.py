"""The same commit gives the same templates and assets on another machine: another asset may be another training job."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from environments.environment import STACKS
from stacks.common.sources import BINARY, sources
from stacks.training.source_files import FOLDERS, HOST_REQUIREMENTS, REQUIREMENTS, ROOT, pack
from tests.infra.conftest import FLAGS

TEXT = (".py", ".json", ".html", ".txt", ".sh", ".toml", ".ipynb", ".md", "Dockerfile", ".dockerignore")
LEAVINGS = (
    *(".DS_Store", "._train.py", "._page.html", "train copy.py"),  # macOS
    *("Thumbs.db", "desktop.ini", "train - Copy.py", "train (1).py"),  # Windows
    *(".train.py.swp", "train.py~", "#train.py#", "train.py.orig", "train.py.rej"),  # editors and patch
    *(".idea/workspace.py", ".vscode/settings.json", ".ipynb_checkpoints/train.py"),
    *("__pycache__/train.cpython-311.pyc", "__pycache__/train.py", "train.pyc", ".coverage"),
    *(".mypy_cache/train.json", "kennel.egg-info/SOURCES.txt", ".env", "notes.txt", "model.safetensors"),
)
DEPLOYED = ("contract", "environments", "inference", "lambda_fn", "notebooks", "stacks", "training")


def tracked() -> list[str]:
    """Every file that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in found if (ROOT / name).is_file()]


def clone(to: Path) -> Path:
    """A copy of the files that the app reads."""
    for name in tracked():
        if name in ("app.py", "cdk.json", "pyproject.toml") or name.startswith(tuple(f"{top}/" for top in DEPLOYED)):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    return to


def used(root: Path) -> Path:
    """The copy, as it looks after months on somebody's Windows or macOS machine."""
    for path in [path for path in root.rglob("*") if path.is_file() and path.name.endswith(TEXT)]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        path.chmod(0o755)
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for name in LEAVINGS:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"left behind\r\n")
        (folder / ".#train.py").symlink_to("user@host.1234:1700000000")  # Emacs, while a file is edited
    return root


def synthesised(root: Path, out: Path, environment: str) -> dict[str, Any]:
    """Every template, and the hashes of its assets, as `cdk synth` writes them."""
    subprocess.run(
        [sys.executable, "app.py"],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": str(root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CDK_OUTDIR": str(out),
            "CDK_CONTEXT_JSON": json.dumps({**FLAGS, "kennel.environment": environment}),
        },
        check=True,
    )
    # the other files of the folder hold CDK's own stack traces
    found = [*out.glob("*.template.json"), *out.glob("*.assets.json")]
    return {path.name: json.loads(path.read_text()) for path in found}


def test_a_used_checkout_gives_the_templates_and_assets_of_a_fresh_one(tmp_path: Path) -> None:
    fresh = synthesised(clone(tmp_path / "fresh"), tmp_path / "out", "development")
    worn = synthesised(used(clone(tmp_path / "used")), tmp_path / "out of used", "development")
    assert len([name for name in fresh if name.endswith(".assets.json")]) == len(STACKS)
    assert {name: worn[name] == fresh[name] for name in fresh} == dict.fromkeys(fresh, True)
    assert worn.keys() == fresh.keys()


def test_a_used_checkout_gives_the_source_archive_of_a_fresh_one(tmp_path: Path) -> None:
    fresh, worn = clone(tmp_path / "fresh"), used(clone(tmp_path / "used"))
    assert b"\r\n" in (worn / "training" / "train.py").read_bytes()
    assert pack(worn) == pack(fresh)


def test_every_tracked_file_of_the_job_is_in_its_archive(tmp_path: Path) -> None:
    """A new kind of file is not packed until it is named: decide here, and not on two GPUs."""
    other = {"inference/.dockerignore", "inference/Dockerfile", "inference/requirements.txt"}
    other |= {"inference/drift/page.html"}  # a training writes no such page
    mine = {name for name in tracked() if name.startswith(tuple(f"{folder}/" for folder in FOLDERS))}
    packed = {*sources(ROOT, packages=FOLDERS), "training/report/page.html", REQUIREMENTS, HOST_REQUIREMENTS}
    assert mine - other == packed


def test_a_change_of_a_line_changes_the_bytes_and_a_change_of_its_ending_does_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    module = tmp_path / "a" / "b.py"
    found = []
    for text in (b"x = 1\n", b"x = 1\r\n", b"x = 2\n"):
        module.write_bytes(text)
        found.append(sources(tmp_path, packages=["a"]))
    assert found[0] == found[1] == {"a/b.py": b"x = 1\n"}
    assert found[2] != found[0]


@pytest.mark.parametrize("suffix", BINARY)
def test_a_binary_file_is_deployed_as_it_is(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"photo{suffix}").write_bytes(b"\xff\r\n\xff")
    assert sources(tmp_path, files=[f"photo{suffix}"]) == {f"photo{suffix}": b"\xff\r\n\xff"}


def test_a_file_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"page\.html"):
        sources(tmp_path, files=["page.html"])
