"""Options of every test run, and the environment that the tests need."""

import functools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.loaders
import hypothesis
import pytest

from rehearsal.hosts.namespaces import Namespaces, NamespacesRefusedError
from tests import order_of_files

# pytest rewrites each file of tests, and several hundred tests start Python. Without compiled files on the disk all of
# them compile the whole code again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Before any test module imports aws_cdk, which starts node with the variables of that moment.
# CDK's own validation takes 4 s for each synthesis; cfn-lint checks the templates here, and a deploy runs it.
os.environ.setdefault("CDK_VALIDATION", "false")
# The environment's own node: CDK complains about the end of life of many a system's.
os.environ.setdefault("JSII_NODE", str(Path(sys.executable).parent / "node"))

# moto would read 1,300 images of machines each time that its account is emptied, which takes 0.2 s.
os.environ.setdefault("MOTO_AMIS_PATH", str(Path(__file__).with_name("machine_images.json")))

# Each session of boto3 would parse the file of all endpoints, and most tests of AWS have their own session. Nothing
# changes what was parsed.
_read = botocore.loaders.JSONFileLoader.load_file


def _load_file(loader: botocore.loaders.JSONFileLoader, path: str) -> Any:
    return _endpoints(path) if Path(path).name == "endpoints" else _read(loader, path)


@functools.cache
def _endpoints(path: str) -> Any:
    return _read(botocore.loaders.JSONFileLoader(), path)


botocore.loaders.JSONFileLoader.load_file = _load_file  # type: ignore[assignment, method-assign]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/infra/golden/ from the current templates"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(order_of_files)
    # hypothesis fails an example that takes 200 ms, which one does when the machine is busy.
    hypothesis.settings.register_profile("kennel", deadline=None)
    hypothesis.settings.load_profile("kennel")
    os.environ.pop("KENNEL_ENV", None)  # a shell's environment would be that of each command here
    # `make test ARGS=...` hands its own variables to each make that a test starts
    for name in ("ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "WORKERS"):
        os.environ.pop(name, None)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # tests run several hosts on this machine, which cannot share its GPU
    # A shell starts a background job with SIGINT ignored, and every child inherits that, which breaks the tests of
    # Ctrl-C.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are named by their length: an archive's contain the time at which they were packed, and so each process of
    pytest-xdist would collect another test."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the seed last: with `-q` pytest leaves its header out, which has it."""
    seed = config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"These tests ran in random order; --randomly-seed={seed} repeats it.")


@pytest.fixture
def s3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of moto's S3, with the bucket that the test's module names BUCKET."""
    import boto3
    from moto import mock_aws

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=request.module.BUCKET)
        yield client


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Namespaces]:
    """An open set of namespaces. Skips the test with the reason if the machine does not allow them."""
    try:
        with Namespaces(tmp_path / "network") as network:
            yield network
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
