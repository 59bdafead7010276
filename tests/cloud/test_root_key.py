"""No process that a local AWS starts carries the account's key, or one that the engine takes for it."""

import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.local import LocalAws
from tests.cloud.conftest import Client

CODE = {
    "python3.11": ("index.py", "import os\ndef handler(event, context):\n    return dict(os.environ)\n"),
    "nodejs22.x": ("index.js", "exports.handler = async () => ({...process.env});\n"),
}


def descendants(process: int) -> Iterator[int]:
    """The processes that a process started, and theirs."""
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def environment(process: int) -> dict[str, str]:
    entries = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def root_keys(variables: dict[str, str], aws: LocalAws) -> list[str]:
    """What of an environment lets its process call AWS as the account's root.

    The engine takes the keys `test`, an empty one and one of 12 digits for root too.
    """
    found = [name for name, value in variables.items() if aws.settings.root_key in value]
    found += [name for name, value in variables.items() if aws.settings.root_secret in value]
    key = variables.get("AWS_ACCESS_KEY_ID")
    if key is not None and re.fullmatch(r"|test|\d{12}", key):
        found.append(f"AWS_ACCESS_KEY_ID={key}")
    return found


def engine_of(aws: LocalAws) -> int:
    """The engine's process, by its port."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if environment(int(folder.name)).get("GATEWAY_PORT") == str(aws.settings.port):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if environment(parent).get("GATEWAY_PORT") != str(aws.settings.port):
                    return int(folder.name)
        except OSError:
            continue
    raise AssertionError("the engine does not run")


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

    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert root_keys(seen, local_aws) == []
    engine = engine_of(local_aws)
    assert engine
    found = {process: root_keys(environment(process), local_aws) for process in descendants(engine)}
    assert found, "the function's process runs on"
    assert {process: names for process, names in found.items() if names} == {}


def test_each_key_that_the_engine_takes_for_root_is_found(local_aws: LocalAws) -> None:
    keys = local_aws.settings.root_key, "test", "", "111122223333"

    assert [bool(root_keys({"AWS_ACCESS_KEY_ID": key}, local_aws)) for key in keys] == [True] * 4
    assert root_keys({"ANY": f"secret={local_aws.settings.root_secret}"}, local_aws) == ["ANY"]
    assert root_keys({"AWS_ACCESS_KEY_ID": "ASIA0123456789ABCDEF"}, local_aws) == []
