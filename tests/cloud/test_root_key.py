"""No process that a local AWS starts carries the account's key, or one that the engine takes for it."""

import io
import json
import sys
import zipfile

import pytest

from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client
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
