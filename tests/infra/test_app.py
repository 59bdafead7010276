"""`cdk synth` as a whole: repeatable, offline, without an account, and plain when it refuses."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from app import download_warning, warnings
from tests.infra.conftest import DEVELOPMENT, FLAGS, ROOT, Assembly, Synthesise, load_settings


def app(
    *command: str,
    out: Path,
    overrides: Mapping[str, object] | None = None,
    variables: Mapping[str, str] | None = None,
    flags: Mapping[str, object] = FLAGS,
    program: tuple[str, ...] = (str(ROOT / "app.py"),),
) -> subprocess.CompletedProcess[str]:
    """Runs app.py as the CDK command line does, with no trace of an account in its environment."""
    return subprocess.run(
        [*command, sys.executable, *program],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", str(out)),  # holds jsii's cache
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "JSII_NODE": os.environ["JSII_NODE"],
            "CDK_OUTDIR": str(out / "cdk.out"),
            **(variables or {}),
            "CDK_CONTEXT_JSON": json.dumps({**flags, **(overrides or {})}),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def without_network() -> list[str]:
    """A command prefix that cuts the network off, if this machine allows it."""
    prefix = ["unshare", "--user", "--map-root-user", "--net"]
    allowed = shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if allowed and allowed.returncode == 0 else []


def test_a_second_synth_offline_and_without_an_account_is_the_same_to_the_byte(
    development: Assembly, tmp_path: Path
) -> None:
    done = app(*without_network(), out=tmp_path)
    assert done.returncode == 0, done.stderr
    again = tmp_path / "cdk.out"
    templates = [f"{stack}.{kind}.json" for stack in development.names for kind in ("template", "assets")]
    for name in templates:
        assert (again / name).read_bytes() == (development.folder / name).read_bytes(), name
    assert {path.name for path in again.glob("asset.*")} == {path.name for path in development.folder.glob("asset.*")}


def test_a_refused_override_ends_synth_with_one_sentence(tmp_path: Path) -> None:
    done = app(out=tmp_path, overrides={"training.max_runtime_min": "90"})
    assert done.returncode == 1
    assert done.stderr.startswith("kennel: training.max_runtime_min is 90, but must be between 1 and 45")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "cdk.out" / "Storage.template.json").exists()


@pytest.fixture(scope="module")
def of_production(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A synthesis of another environment with two reasons to warn: its folder, and the lines of kennel."""
    folder = tmp_path_factory.mktemp("production")
    overrides = {
        "kennel.environment": "production",
        "kennel.photos_environment": "production",  # as `kennel data version --cdk-options` adds it
        "training.image_end_of_patch": "2026-01-01",
    }
    done = app(out=folder, overrides=overrides)
    assert done.returncode == 0, done.stderr
    return folder / "cdk.out", [line for line in done.stderr.splitlines() if line.startswith("kennel: ")]


def test_an_environment_is_chosen_in_the_context(of_production: tuple[Path, list[str]]) -> None:
    folder, _ = of_production
    manifest = json.loads((folder / "manifest.json").read_text())["artifacts"]
    assert manifest["Storage"]["properties"]["stackName"] == "kennel-production-storage"


def test_a_cdk_that_deploys_to_another_account_than_kennel_read_ends_with_one_sentence(tmp_path: Path) -> None:
    variables = {"CDK_DEFAULT_ACCOUNT": "111111111111", "CDK_DEFAULT_REGION": "eu-west-1"}
    done = app(out=tmp_path, variables=variables, overrides={"kennel.photos_account": "222222222222"})
    assert done.returncode == 1
    assert done.stderr.startswith("kennel: kennel read the photos in the account 222222222222, but CDK deploys to 111")
    assert len(done.stderr.splitlines()) == 1


IN_FOLDER = """
import sys
from functools import partial
from pathlib import Path
import environments
environments.load = partial(environments.load, folder=Path(sys.argv[1]))
import app
app.main()
"""
"""app.py with the environments of a folder."""


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"AWS_REGION": "us-east-1"}, "has the region 'eu-west-1', but AWS_REGION is 'us-east-1'"),
        # tests/unit/test_environments.py has these each day, without a process
        pytest.param(
            {"AWS_PROFILE": "cats"}, "has the profile 'dogs', but AWS_PROFILE is 'cats'", marks=pytest.mark.slow
        ),
        pytest.param(
            {"KENNEL_ENV": "production"},
            "names the environment 'qa', but KENNEL_ENV is 'production'",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_shell_that_disagrees_with_the_file_ends_with_one_sentence(
    tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    (tmp_path / "qa.toml").write_text('account = "123456789012"\nregion = "eu-west-1"\nprofile = "dogs"\n')
    program = ("-c", IN_FOLDER, str(tmp_path))
    done = app(out=tmp_path, variables=variables, overrides={"kennel.environment": "qa"}, program=program)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_shell_chooses_an_environment(tmp_path: Path) -> None:
    """The file's own error shows that it was read: a whole synthesis takes seconds."""
    (tmp_path / "qa.toml").write_text('region = "Ireland"\n')
    done = app(out=tmp_path, variables={"KENNEL_ENV": "qa"}, program=("-c", IN_FOLDER, str(tmp_path)))
    assert done.returncode == 1
    assert done.stderr.startswith("kennel: environments/qa.toml: region is 'Ireland'")


@pytest.mark.parametrize("missing", ["@aws-cdk/core:defaultCrossStackReferences", "@aws-cdk/aws-iam:minimizePolicies"])
def test_a_cdk_that_has_not_read_cdk_json_ends_with_one_sentence(tmp_path: Path, missing: str) -> None:
    """`cdk -a "python3 .../app.py"` in another folder: the templates would be others."""
    done = app(out=tmp_path, flags={name: value for name, value in FLAGS.items() if name != missing})
    assert done.returncode == 1
    assert done.stderr.startswith(f"kennel: The CDK context has no {missing}, which {ROOT / 'cdk.json'} sets")
    assert len(done.stderr.splitlines()) == 1


def test_outside_the_virtual_environment_app_py_says_how_to_enter_it() -> None:
    bare = [sys.executable, "-S", str(ROOT / "app.py")]  # -S: without the packages that are installed
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "source .venv/bin/activate" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_templates_know_no_account_and_no_region(development: Assembly) -> None:
    manifest = json.loads((development.folder / "manifest.json").read_text())
    environments = {
        artifact["environment"]
        for artifact in manifest["artifacts"].values()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    assert environments == {"aws://unknown-account/unknown-region"}
    assert "missing" not in manifest


def test_an_environment_may_name_its_account_and_its_region(synthesise: Synthesise) -> None:
    placed = synthesise(environment=replace(DEVELOPMENT, account="123456789012", region="eu-west-1"))
    manifest = json.loads((placed.folder / "manifest.json").read_text())
    assert manifest["artifacts"]["Serving"]["environment"] == "aws://123456789012/eu-west-1"


def test_everything_that_can_be_tagged_is_tagged_with_the_project(development: Assembly) -> None:
    for _, logical_id, resource in development.resources("*"):
        tags = resource.get("Properties", {}).get("Tags")
        if tags:
            assert "project" in json.dumps(tags), logical_id


def test_production_cannot_be_destroyed_by_accident(production: Assembly) -> None:
    manifest = json.loads((production.folder / "manifest.json").read_text())["artifacts"]
    assert all(manifest[name]["properties"]["terminationProtection"] for name in production.names)


def test_cfn_lint_finds_nothing(development: Assembly, production: Assembly) -> None:
    templates = [
        str(assembly.folder / f"{stack}.template.json")
        for assembly in (development, production)
        for stack in assembly.names
    ]
    lint = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([str(lint), *templates], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_image_past_its_end_of_patch_gives_a_warning() -> None:
    settings = load_settings({})
    last = settings.training.image_end_of_patch
    assert warnings(settings, last) == []
    (warning,) = warnings(settings, last + timedelta(days=1))
    assert settings.training.image_tag in warning
    assert str(last) in warning


def test_hosts_of_many_owners_give_a_warning_each() -> None:
    listed = (
        "photos.example.org,.example.org,.amazonaws.com,.s3.eu-west-1.amazonaws.com,.co.uk,mine.github.io,.github.io"
    )
    found = warnings(load_settings({"api.allowed_url_hosts": listed}), date(2026, 1, 1))

    named = [warning.split()[2].rstrip(",") for warning in found]
    assert named == [".amazonaws.com", ".s3.eu-west-1.amazonaws.com", ".co.uk", ".github.io"]
    assert all("api.allowed_url_hosts" in warning for warning in found)


def test_without_training_there_is_no_warning_about_the_image() -> None:
    settings = load_settings({"training.model_data": "s3://models/model.tar.gz"})
    assert warnings(settings, date(2099, 1, 1)) == []


OF_KENNEL = {"kennel.photos_environment": "development"}
"""What `kennel data version --cdk-options` adds to the context of a deploy."""


def test_a_deploy_without_weights_in_the_bucket_warns_that_each_host_downloads_them() -> None:
    (warning,) = download_warning(load_settings({}), OF_KENNEL)
    assert "each training host downloads ImageNet's weights while it is billed" in warning
    assert warning.endswith("make weights-upload")


@pytest.mark.parametrize(
    ("given", "context"),
    [
        ({"training.pretrained_uri": "s3://data/weights/resnet50-5d061a3c593d795b.safetensors"}, OF_KENNEL),
        ({"training.model_data": "s3://data/model.tar.gz"}, OF_KENNEL),
        ({}, {}),
    ],
    ids=["weights", "no training", "offline"],
)
def test_there_is_no_warning_if_no_host_downloads_or_the_app_cannot_know(
    given: dict[str, object], context: dict[str, object]
) -> None:
    assert download_warning(load_settings(given), context) == []


def test_synth_prints_each_warning_once_and_continues(of_production: tuple[Path, list[str]]) -> None:
    folder, (image, download) = of_production
    assert image.startswith("kennel: warning: AWS stopped patching the training image")
    assert download.startswith("kennel: warning: training.pretrained_uri is empty, so each training host downloads")
    assert (folder / "Serving.template.json").exists()
