"""The commands of README run with no other packages than those that the verbs before them install."""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from ops.sentences import SENTENCES
from tests.builders import write_resnet50
from tests.distributed.dogs import write_photos
from tests.empty_moto import empty_moto
from tests.packages import ROOT, groups_of, install, planned

START = (
    "import sys; sys.path[:0], sys.argv[1:] = sys.argv[1].split(':'), sys.argv[2:]; from ops.cli import main; main()"
)


@dataclass(frozen=True, slots=True)
class Command:
    """A `kennel` command of a code block of README."""

    words: tuple[str, ...]
    """Its arguments."""
    groups: tuple[str, ...]
    """What the verbs of its block have installed before it runs."""

    def __str__(self) -> str:
        return f"kennel {' '.join(self.words)} ({'+'.join(self.groups)})"


def commands() -> list[Command]:
    """Each `kennel` command of README's blocks, written there or run by a verb of make."""
    found: dict[Command, None] = {}
    for block in re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL):
        groups: dict[str, None] = {}
        for line in block.splitlines():
            script = planned(line) if line.startswith("make ") else line
            groups |= dict.fromkeys(groups_of(script))
            for words in re.findall(r"bin/kennel ([^;|&)#\n]+)", script):
                found[Command(tuple(shlex.split(words)), tuple(groups))] = None
    return list(found)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """An AWS on this machine, in which `make deploy STACKS=Storage` has run."""
    with empty_moto() as url, pytest.MonkeyPatch.context() as changed:
        for name, value in KEYS.items():
            changed.setenv(name, value)
        boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket="photos")
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"DataUri": {"Value": "s3://photos/data/"}},
        }
        boto3.client("cloudformation", endpoint_url=url, region_name="us-east-1").create_stack(
            StackName="kennel-storage", TemplateBody=json.dumps(template)
        )
        yield url


KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


def run(
    words: Sequence[str], place: Path, cwd: Path, address: str = "", variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`kennel` with the packages in `place` and the standard library alone."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", START, f"{ROOT}:{place}", *words],
        cwd=cwd,
        env={
            **own,
            **KEYS,
            "AWS_ENDPOINT_URL": address,
            "AWS_EC2_METADATA_DISABLED": "true",
            "COLUMNS": "200",
            **(variables or {}),
        },
        capture_output=True,
        text=True,
    )


EXPECTED = {
    "cost": (0, "The environment development in us-east-1"),
    "capacity": (0, "The busiest minute has 2 calls a second."),
    "preflight": (1, "This deploy would fail"),
    "status": (0, "Everything works."),
    "models": (0, "No training is registered yet."),
    "drift": (4, "has no endpoint, so nothing is captured."),
    "retrain": (4, "There is no stack kennel-training"),
    "why": (0, "Nothing has failed that was not repaired since."),
    "deploy": (1, "There is no terminal to ask in"),
    "data check": (1, "1 error: correct the photos"),  # drawn photos, which are all alike
    "data split": (1, "Add photos, then split again."),  # for the same reason
    "data upload": (0, "18 photos sent to s3://photos/data, 0 were already there."),
    "data version": (0, "kennel.photos_account=123456789012"),
    "--lambda": (1, "The stack kennel-api has no output FunctionArn"),
    "predict": (1, "There is no build/rehearsal/job/model."),
    "serve": (1, "There is no build/rehearsal/job/model."),
    "weights upload": (0, ".safetensors was sent."),
    "rehearse": (1, "that has them."),
    "--install-completion": (0, "completion"),
}
"""What each command prints, and its exit status. A rehearsal gets a folder that ends it before it trains, and an upload
of weights a file, so that nothing is downloaded."""


@pytest.mark.parametrize("command", commands(), ids=str)
def test_a_command_of_readme_needs_nothing_that_its_block_does_not_install(
    command: Command, address: str, tmp_path: Path
) -> None:
    photos = write_photos(tmp_path, breeds=2, counts={"train": 5, "valid": 2, "test": 2})
    words = [str(photos) if word == "dogImages" else word for word in command.words]
    if "split" in words:
        words = ["data", "split", str(photos / "train"), str(tmp_path / "new")]
    if "rehearse" in words:
        words = ["rehearse", "--data", str(photos / "train")]
    if "weights" in words:
        words = [str(write_resnet50(tmp_path / "w.safetensors")) if word == "imagenet" else word for word in words]
    (tmp_path / "site").mkdir()

    ended = run(words, install(command.groups, tmp_path / "site"), tmp_path, address)

    status, text = next(value for key, value in EXPECTED.items() if key in " ".join(command.words))
    printed = ended.stdout + ended.stderr
    assert "Traceback" not in printed
    assert text in printed
    assert ended.returncode == status


def test_the_download_of_weights_needs_no_other_packages(address: str, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:1", "TORCH_HOME": str(tmp_path)}
    ended = run(["weights", "upload"], install(["weights"], tmp_path / "site"), tmp_path, address, nowhere)

    assert "kennel: The ImageNet weights could not be downloaded from https://" in ended.stderr
    assert ended.returncode == 1


def test_the_commands_that_need_an_upload_or_a_check_are_among_them() -> None:
    uploads = {" ".join(command.words[:4]): command.groups for command in commands() if "upload" in command.words}
    assert uploads == {
        "--env development data upload": ("synth", "deploy"),
        "--env development weights upload": ("synth", "deploy", "weights"),
    }
    assert {command.groups for command in commands() if "check" in command.words} == {("check",)}


@pytest.mark.parametrize(
    ("groups", "words", "package", "verb"),
    [
        ([], ["--help"], "typer", "make setup"),
        (["synth"], ["data", "upload", "photos"], "typer", "make data-upload DIR=FOLDER"),
        (["synth"], ["cost", "--json"], "typer", "make cost"),
        (["synth"], ["preflight"], "typer", "make preflight"),
        (["deploy"], ["weights", "upload"], "numpy|safetensors", "make weights-upload FILE=FILE"),
        (["deploy"], ["--env", "production", "data", "check", "photos"], "PIL|numpy", "make data-check DIR=FOLDER"),
        (["deploy"], ["predict", "rex.jpg"], "PIL|numpy", "make setup"),
        (["check"], ["report"], "botocore|boto3", "make setup"),
    ],
)
def test_a_missing_package_is_one_sentence_with_the_command_that_installs_it(
    groups: list[str], words: list[str], package: str, verb: str, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    ended = run(words, install(groups, tmp_path / "site"), tmp_path)

    sentence = rf"kennel: This command needs the Python package ({package}), which .* does not have. Run `{verb}`, .*\n"
    assert re.fullmatch(sentence, ended.stderr)
    assert ended.returncode == 1


def test_the_cost_needs_the_packages_of_a_deploy_alone(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "Stack.template.json").write_text('{"Resources": {"Key": {"Type": "AWS::KMS::Key"}}}')
    words = ["cost", "--region", "us-east-1", "--templates", str(tmp_path)]
    ended = run(words, install(["deploy"], tmp_path / "site"), tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "The environment development in us-east-1" in ended.stdout


def test_preflight_needs_the_packages_of_a_deploy_alone(address: str, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    words = ["preflight", "--stacks", "Storage", "--json"]
    ended = run(words, install(["deploy"], tmp_path / "site"), tmp_path, address)

    assert "Traceback" not in ended.stderr
    found = json.loads(ended.stdout)
    assert (found["account"], found["region"], found["passed"]) == ("123456789012", "us-east-1", False)
    assert any(finding["remedy"] == "make bootstrap" for finding in found["findings"])
    assert ended.returncode == 1


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_each_exception_that_is_printed_as_a_sentence_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    found = getattr(importlib.import_module(module), kind)
    assert f"{found.__module__}.{found.__qualname__}" == name
