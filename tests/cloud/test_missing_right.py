"""A right that is missing is shown by the CDK command line, in AWS's own sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import environments
from ops.deploy.cdk import PROGRAM, ROOT, Cdk
from rehearsal.cloud.local import LocalAws

APP = Path(__file__).parent / "asking_app" / "app.py"


@pytest.mark.slow
def test_the_command_line_shows_the_right_that_a_role_lacks(local_aws: LocalAws, tmp_path: Path) -> None:
    variables = {**Cdk(environments.load("development")).variables, **local_aws.variables, "NO_COLOR": "1"}
    variables.pop("VIRTUAL_ENV", None)
    command = [os.fspath(PROGRAM), "deploy", "--app", f"{sys.executable} {APP}", "--output", os.fspath(tmp_path)]

    ended = subprocess.run(
        [*command, "--require-approval", "never"], cwd=ROOT, env=variables, capture_output=True, text=True
    )

    shown = " ".join(ended.stderr.split())  # the command line breaks long lines
    assert ended.returncode == 1
    assert ":assumed-role/Asking-FunctionServiceRole" in shown
    assert "is not authorized to perform: sagemaker:InvokeEndpoint on resource: " in shown
    assert "arn:aws:sagemaker:us-east-1:000000000000:endpoint/any because no identity-based policy allows" in shown
