"""Which package may import which: the contracts of .importlinter, and what third-party code a package may import."""

import configparser
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

OPS = "import rehearsal.cloud.clock, rehearsal.cloud.declared, rehearsal.cloud.local"
CAPACITY = "import rehearsal.cloud.autoscaling.scaler, rehearsal.cloud.sagemaker.usage"
TABLE = "import inference.photo.file_types"
"""What ops may import of the local AWS, and lambda_fn of inference: each exception in .importlinter must occur."""
VIOLATIONS = {
    "contract/__init__.py": "import training",
    "inference/runtime.py": "import contract, torch",
    "inference/photo/decode.py": "import starlette",
    "inference/artifact.py": "import inference.classifier",
    "inference/classifier.py": "import inference.artifact",
    "lambda_fn/handler.py": "import inference",
    "ops/rehearse.py": f"{OPS}, rehearsal.cloud.engine",
    "rehearsal/processes.py": "import ops, page, sample_dogs",
    "sample_dogs/draw.py": "import rehearsal",
    "training/config.py": "import inference.server",
    "training/train.py": "import stacks, lambda_fn, environments, tests",
}
"""A file and what it may not import; between them they break each contract."""

IN_STACKS_FUNCTIONS = {"boto3", "botocore", "urllib3"} | {
    "mypy_boto3_s3",
    "mypy_boto3_sagemaker",
    "mypy_boto3_sagemaker_runtime",
}
"""Packages of Lambda's Python runtime and their types. Only the code of the stacks' own functions imports them."""
IN_ENGINE = {"botocore", "cbor2", "ministack", "yaml"}
"""Packages of the engine's environment. Only the local AWS imports them."""


def configuration() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / ".importlinter")
    return parser


def linted(folder: Path, files: Mapping[str, str]) -> str:
    """What import-linter reports on empty packages with these files, which break a contract."""
    contracts = configuration()
    shutil.copy(REPOSITORY / ".importlinter", folder)
    packages = contracts["importlinter"]["root_packages"].split()
    folders = [*packages, "inference/photo", "inference/server", "rehearsal/cloud", "rehearsal/cloud/engine"]
    folders += ["ops/capacity", "rehearsal/cloud/autoscaling", "rehearsal/cloud/sagemaker"]
    files = {
        "ops/rehearse.py": OPS,
        "ops/capacity/fleet.py": CAPACITY,
        "lambda_fn/photo.py": TABLE,
        "inference/photo/file_types.py": "",
        **files,
    }
    sources = contracts["importlinter:contract:http"]["source_modules"].split()
    modules = [f"{module.replace('.', '/')}.py" for module in sources if module != "inference.photo"]
    local_aws = ("__main__", "autoscaling/scaler", "clock", "declared", "local", "sagemaker/usage")
    modules += [f"rehearsal/cloud/{name}.py" for name in local_aws]
    for file in [*(f"{package}/__init__.py" for package in folders), "inference/server/app.py", *modules, *files]:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(files.get(file, ""))
    ran = subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo"], cwd=folder, env={"PYTHONPATH": "."}, capture_output=True, text=True
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran.stdout


def test_the_contracts_cover_each_package_that_is_installed() -> None:
    found = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    packages = {pattern.removesuffix("*") for pattern in found["include"]}
    contracts = configuration()

    protected = {section["protected_modules"] for section in contracts.values() if "protected_modules" in section}
    assert set(contracts["importlinter"]["root_packages"].split()) == packages
    assert packages == {module for module in protected if "." not in module}


def test_no_package_is_exempt_from_importing_in_one_direction() -> None:
    contracts = configuration()
    ancestors = contracts["importlinter:contract:circles"]["ancestors"].split()
    assert ancestors == contracts["importlinter"]["root_packages"].split()


def test_in_inference_only_the_server_may_import_http() -> None:
    sources = set(configuration()["importlinter:contract:http"]["source_modules"].split())
    assert sources == grimp.build_graph("inference", cache_dir=None).find_children("inference") - {"inference.server"}


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("inference/photo/decode.py", "h11"),
        ("inference/photo/decode.py", "httptools"),
        ("inference/photo/decode.py", "http.server"),
        ("training/train.py", "inference.server.app"),
        ("training/train.py", "benchmarks"),
        ("stacks/api.py", "tests.builders"),
        ("stacks/api.py", "app"),
    ],
)
def test_an_import_that_a_contract_forbids_breaks_it(module: str, imported: str, tmp_path: Path) -> None:
    assert f"{Path(module).with_suffix('')} -> {imported.split('.')[0]}".replace("/", ".") in linted(
        tmp_path, {module: f"import {imported}"}
    )


def test_each_contract_fails_where_it_is_violated(tmp_path: Path) -> None:
    contracts = configuration()
    report = linted(tmp_path, VIOLATIONS)

    for section in contracts.sections()[1:]:
        assert f"{contracts[section]['name']} BROKEN" in report


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("contract", set[str]()),
        ("environments", {"contract"}),
        ("rehearsal", {"contract"} | IN_ENGINE),
        ("sample_dogs", {"PIL", "numpy"}),
        ("stacks", {"contract", "environments", "aws_cdk", "cdklabs", "constructs"} | IN_STACKS_FUNCTIONS),
        ("lambda_fn", {"botocore", "inference", "mypy_boto3_s3", "mypy_boto3_sagemaker_runtime", "page"}),
        ("page", set[str]()),
    ],
)
def test_a_package_imports_no_other_third_party_code(package: str, allowed: set[str]) -> None:
    graph = grimp.build_graph(package, include_external_packages=True, cache_dir=None)
    external = {module for module in graph.modules if graph.is_module_squashed(module)}

    assert external - set(sys.stdlib_module_names) <= allowed


def test_in_stacks_only_the_code_of_functions_imports_the_sdk() -> None:
    graph = grimp.build_graph("stacks", include_external_packages=True, cache_dir=None)
    known = IN_STACKS_FUNCTIONS & graph.modules
    importers = {module for package in known for module in graph.find_modules_that_directly_import(package)}

    assert importers
    functions = ("stacks.training.handler.", "stacks.serving.probe.", "stacks.serving.drift_job.")
    assert {module for module in importers if not module.startswith(functions)} == set()


def test_in_rehearsal_only_the_local_aws_and_its_train_import_what_the_engine_has() -> None:
    graph = grimp.build_graph("rehearsal", include_external_packages=True, cache_dir=None)
    importers = {module for package in IN_ENGINE for module in graph.find_modules_that_directly_import(package)}

    elsewhere = {module for module in importers if not module.startswith("rehearsal.cloud.")}
    assert elsewhere == {"rehearsal.hosts.train_command"}  # a job's program, which reads its source from S3
