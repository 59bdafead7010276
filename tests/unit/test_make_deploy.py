"""What `make deploy` and `make destroy` run: who is asked, and about which stacks."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def planned(*words: str, **variables: str) -> str:
    """The last command that make would run."""
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *words],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("verb", "option"), [("deploy", "--yes"), ("destroy", "--force")])
def test_only_yes_1_answers_in_advance(verb: str, option: str) -> None:
    assert option in planned(verb, "YES=1").split()
    assert option in planned(verb, YES="1").split()
    assert option not in planned(verb).split()
    assert option not in planned(verb, "YES=0").split()


def test_a_destroy_of_named_stacks_leaves_those_that_come_after_them() -> None:
    assert "destroy Monitoring --exclusively" in planned("destroy", "STACKS=Monitoring")
    assert "--exclusively" not in planned("destroy")


def test_a_deploy_passes_on_its_stacks_its_environment_and_its_options() -> None:
    command = planned("deploy", "STACKS=Storage Api", "ENV=production", "ARGS=-c api.memory_mib=512 --no-rollback")
    assert "--env 'production' deploy --stacks 'Storage Api'  -- -c api.memory_mib=512 --no-rollback" in command


def test_ctrl_c_in_a_destroy_reaches_cdk_and_no_program_between() -> None:
    path = planned("destroy").partition('PATH="')[2].partition(':$PATH"')[0]
    if not Path(path.split(":")[-1]).exists():
        pytest.skip("this folder has no virtual environment of make")
    node = shutil.which("node", path=path)
    assert node is not None
    assert not Path(node).read_bytes().startswith(b"#!"), f"{node} is a script that starts node"
