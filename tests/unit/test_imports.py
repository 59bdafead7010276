"""Which package may import which: the contracts of .importlinter, and what third-party code a package may import."""

import configparser
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

VIOLATIONS = {
    "contract/__init__.py": "import training",
    "inference/runtime.py": "import contract, torch",
    "inference/photo/decode.py": "import starlette",
    "inference/artifact.py": "import inference.classifier",
    "inference/classifier.py": "import inference.artifact",
    "lambda_fn/handler.py": "import inference",
    "rehearsal/processes.py": "import ops, sample_dogs",
    "sample_dogs/draw.py": "import rehearsal",
    "training/train.py": "import stacks, lambda_fn, environments",
}
"""A file and what it may not import; between them they break each contract."""


def configuration() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / ".importlinter")
    return parser


def test_the_contracts_cover_each_package_that_is_installed() -> None:
    found = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    packages = {pattern.removesuffix("*") for pattern in found["include"]}
    contracts = configuration()

    protected = {section.get("protected_modules") for section in contracts.values() if section}
    assert set(contracts["importlinter"]["root_packages"].split()) == packages == protected - {None}


def test_in_inference_only_the_server_may_import_http() -> None:
    sources = set(configuration()["importlinter:contract:http"]["source_modules"].split())
    assert sources == grimp.build_graph("inference", cache_dir=None).find_children("inference") - {"inference.server"}


def test_each_contract_fails_where_it_is_violated(tmp_path: Path) -> None:
    contracts = configuration()
    shutil.copy(REPOSITORY / ".importlinter", tmp_path)
    folders = [*contracts["importlinter"]["root_packages"].split(), "inference/photo", "inference/server"]
    sources = contracts["importlinter:contract:http"]["source_modules"].split()
    modules = [f"{module.replace('.', '/')}.py" for module in sources if module != "inference.photo"]
    for file in [*(f"{folder}/__init__.py" for folder in folders), *modules, *VIOLATIONS]:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(VIOLATIONS.get(file, ""))

    ran = subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo"], cwd=tmp_path, env={"PYTHONPATH": "."}, capture_output=True, text=True
    )

    assert ran.returncode == 1, ran.stdout + ran.stderr
    for section in contracts.sections()[1:]:
        assert f"{contracts[section]['name']} BROKEN" in ran.stdout


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("contract", set[str]()),
        ("environments", {"contract"}),
        ("lambda_fn", {"boto3", "botocore", "mypy_boto3_s3", "mypy_boto3_sagemaker_runtime"}),
    ],
)
def test_a_package_imports_no_other_third_party_code(package: str, allowed: set[str]) -> None:
    graph = grimp.build_graph(package, include_external_packages=True, cache_dir=None)
    external = {module for module in graph.modules if graph.is_module_squashed(module)}

    assert external - set(sys.stdlib_module_names) <= allowed
