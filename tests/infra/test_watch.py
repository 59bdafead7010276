"""`cdk watch` deploys after each save, so no save may start a training job."""

import io
import json
import re
import tarfile
from pathlib import PurePosixPath

from stacks.training.source_files import ROOT, pack

INCLUDED = json.loads((ROOT / "cdk.json").read_text())["watch"]["include"]


def watched(name: str) -> bool:
    """Whether a file is below a folder that `cdk watch` observes."""
    return any(PurePosixPath(pattern.removesuffix("/**")) in PurePosixPath(name).parents for pattern in INCLUDED)


def test_each_pattern_is_a_folder_that_exists() -> None:
    assert INCLUDED
    for pattern in INCLUDED:
        assert re.fullmatch(r"[a-z_]+/\*\*", pattern)
        assert (ROOT / pattern.removesuffix("/**")).is_dir()


def test_the_function_is_watched() -> None:
    assert watched("lambda_fn/handler.py")


def test_nothing_that_names_the_training_job_is_watched() -> None:
    with tarfile.open(fileobj=io.BytesIO(pack(ROOT))) as archive:
        names = archive.getnames()
    assert "training/train.py" in names
    assert [name for name in names if watched(name)] == []


def test_neither_the_image_nor_the_stacks_are_watched() -> None:
    for name in ("inference/Dockerfile", "app.py", "stacks/training/stack.py", "environments/production.toml"):
        assert (ROOT / name).exists()
        assert not watched(name)


def test_make_watch_deploys_api_alone() -> None:
    (command,) = re.findall(r"\$\(CDK\) watch .*", (ROOT / "Makefile").read_text())
    assert command.split()[2:4] == ["Api", "--exclusively"]
