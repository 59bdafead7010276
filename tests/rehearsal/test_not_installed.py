"""A rehearsal on a machine without the engine of the local AWS."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops.deploy.cdk import ROOT
from ops.rehearse import run, without_aws
from ops.rehearse.errors import RehearsalError
from ops.rehearse.plan import Plan


@pytest.fixture(autouse=True)
def without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PYTHON", ROOT / ".venv-engine" / "bin" / "absent")


def test_the_programs_alone_are_rehearsed_and_one_line_says_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []

    def programs(plan: Plan, _: Console) -> list[Any]:
        plans.append(plan)
        return []

    monkeypatch.setattr(without_aws, "rehearse", programs)
    printed = io.StringIO()
    run.rehearse(Plan(folder=tmp_path), Console(file=printed, width=200))

    assert plans == [Plan(folder=tmp_path)]
    (line,) = printed.getvalue().splitlines()
    assert line == f"{run.LEFT_OUT}, because .venv-engine/bin/absent is not installed (make setup)."


@pytest.mark.parametrize(
    "asked",
    [{"full": True}, {"load": True}, {"keep": True}, {"settings": ("api.memory_mib=768",)}, {"model": Path("model")}],
    ids=str,
)
def test_what_needs_the_local_aws_is_refused(tmp_path: Path, asked: dict[str, Any]) -> None:
    plan = replace(Plan(folder=tmp_path), **asked)
    with pytest.raises(RehearsalError, match=r"absent is not installed, so nothing can be deployed\. Run `make setup`"):
        run.rehearse(plan, Console(file=io.StringIO()))
