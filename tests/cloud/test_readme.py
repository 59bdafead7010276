"""rehearsal/README.md: its code loads, and its images file is understood."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from rehearsal.cloud.images import Images

README = Path(__file__).resolve().parents[2] / "rehearsal" / "README.md"

FAKE = """#!{python}
import os, sys
import boto3
with open("asked", "a") as asked:
    print(os.environ["AWS_ENDPOINT_URL"], *sys.argv[1:], file=asked)
if sys.argv[1] == "deploy":
    cloudformation = boto3.client("cloudformation")
    template = '{{"Resources": {{"Key": {{"Type": "AWS::KMS::Key"}}}}}}'
    cloudformation.create_stack(StackName="Echo", TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="Echo", WaiterConfig={{"Delay": 1}})
"""
"""A command line that deploys one key."""


def block(language: str) -> str:
    """The one block of code in a language, without its indentation."""
    [found] = re.findall(rf"^ *```{language}\n(.*?)^ *```$", README.read_text(), re.MULTILINE | re.DOTALL)
    return textwrap.dedent(found)


def test_the_images_file_names_a_server(tmp_path: Path) -> None:
    (tmp_path / "images.toml").write_text(block("toml"))

    image = Images.read(tmp_path / "images.toml").find("000000000000.dkr.ecr.us-east-1.amazonaws.com/echo:1")

    assert image.serve[-2:] == ("{model}", "{port}")


def test_the_code_deploys_and_destroys_with_the_command_line(tmp_path: Path) -> None:
    """It runs as it is written, with a `cdk` that notes what it was asked and where it was sent."""
    (tmp_path / "images.toml").write_text(block("toml"))
    (tmp_path / "bin").mkdir()
    cdk = tmp_path / "bin" / "cdk"
    cdk.write_text(FAKE.format(python=sys.executable))
    cdk.chmod(0o755)
    path = os.pathsep.join([str(cdk.parent), os.environ["PATH"]])

    ended = subprocess.run(
        [sys.executable, "-c", block("python")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 0, ended.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[1] for line in asked] == ["bootstrap", "deploy", "destroy"]
    assert all(line.startswith("http://127.0.0.1:") for line in asked)
    assert "declared, not rehearsed: AWS::KMS::Key" in ended.stdout
