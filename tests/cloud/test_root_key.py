"""No process that a local AWS starts carries the account's key, or one that the engine takes for it."""

import io
import json
import sys
import zipfile
from pathlib import Path

import pytest

from rehearsal.cloud.api import Credentials
from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client
from tests.cloud.engine_process import ROOT_KEY, ROOT_SECRET, run_in_engine
from tests.cloud.root_keys import descendants, engine_on, environment, root_keys

CODE = {
    "python3.11": ("index.py", "import os\ndef handler(event, context):\n    return dict(os.environ)\n"),
    "nodejs22.x": ("index.js", "exports.handler = async () => ({...process.env});\n"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
@pytest.mark.parametrize("runtime", CODE)
def test_a_function_has_the_key_of_its_role_and_no_process_has_that_of_the_account(
    client: Client, local_aws: LocalAws, runtime: str
) -> None:
    name = f"keys-{runtime.partition('.')[0]}"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr(*CODE[runtime])
    client("lambda").create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler="index.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": archive.getvalue()},
    )

    seen = json.loads(client("lambda").invoke(FunctionName=name)["Payload"].read())

    keys = local_aws.settings.root_key, local_aws.settings.root_secret
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert root_keys(seen, *keys) == []
    engine = engine_on(local_aws.settings.port)
    assert engine
    found = {process: root_keys(environment(process), *keys) for process in descendants(engine)}
    assert found, "the function's process runs on"
    assert {process: names for process, names in found.items() if names} == {}


def test_each_key_that_the_engine_takes_for_root_is_found() -> None:
    def found(variables: dict[str, str]) -> list[str]:
        return root_keys(variables, "AKIAROOT", "root secret")

    keys = ("AKIAROOT", "test", "", "111122223333")
    assert [len(found({"AWS_ACCESS_KEY_ID": key})) for key in keys] == [1] * 4
    assert found({"ANY": "secret=root secret"}) == ["ANY"]
    assert found({"AWS_ACCESS_KEY_ID": "ASIA0123456789ABCDEF"}) == []


STARTED_BY_THE_ENGINE = """
import json, os, sys
from ministack.core import lambda_runtime, node_pool
from ministack.services import lambda_svc
from rehearsal.cloud.engine.clean_environments import clean_environments

clean_environments()
for module in (lambda_runtime, lambda_svc, node_pool):
    program = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    pipe = module.subprocess.PIPE
    given = {} if module is node_pool else {"env": {**os.environ, "OWN": "value"}}
    print(module.subprocess.Popen(program, stdout=pipe, text=True, **given).communicate()[0].strip())
"""


def test_no_program_that_the_engine_starts_for_a_user_gets_the_account_s_key(tmp_path: Path) -> None:
    ended = run_in_engine(STARTED_BY_THE_ENGINE, tmp_path)

    seen = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(seen) == 3, ended.stderr
    assert [root_keys(variables, ROOT_KEY, ROOT_SECRET) for variables in seen] == [[], [], []]
    assert [variables.get("OWN") for variables in seen] == ["value", "value", None]
    assert all("PATH" in variables and "GATEWAY_PORT" not in variables for variables in seen)


def test_no_message_shows_a_secret(local_aws: LocalAws) -> None:
    credentials = Credentials("ASIAANY", "the secret of a role", "the token of a role")

    shown = f"{local_aws.settings} {credentials}"

    assert local_aws.settings.root_secret not in shown
    assert "of a role" not in shown
