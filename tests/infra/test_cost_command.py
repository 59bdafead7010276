"""`kennel cost`: what it prints, and that the documents have what it prints."""

import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ops.cost import estimate
from ops.cost.table import as_json, markdown, print_report
from tests.infra.conftest import ROOT, Assembly

GOLDEN = Path(__file__).parent / "golden_cost"
REGION = "us-east-1"
WIDTH = 160


def text(assembly: Assembly, environment: str, region: str = REGION) -> str:
    console = Console(width=WIDTH, record=True, file=StringIO())
    print_report(estimate(assembly.folder, region), environment, console, items=True)
    return re.sub(r" +$", "", console.export_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_output_is_the_golden_one(request: pytest.FixtureRequest, environment: str) -> None:
    assembly: Assembly = request.getfixturevalue(environment)
    outputs = {
        f"{environment}.txt": text(assembly, environment),
        f"{environment}.md": markdown(estimate(assembly.folder, REGION), environment),
    }
    for name, output in outputs.items():
        if request.config.getoption("--update-golden"):
            GOLDEN.mkdir(exist_ok=True)
            (GOLDEN / name).write_text(output)
        assert output == (GOLDEN / name).read_text(), f"make golden, and read the diff of {name}"


def test_readme_has_the_table_that_the_command_prints(request: pytest.FixtureRequest, development: Assembly) -> None:
    printed = markdown(estimate(development.folder, REGION), "development")
    table = "\n".join(line for line in printed.splitlines() if line.startswith("|"))
    readme = ROOT / "README.md"
    if request.config.getoption("--update-golden"):
        head = re.escape(table.splitlines()[0])
        readme.write_text(
            re.sub(rf"^{head}\n(\|.*\n)+", lambda _: f"{table}\n", readme.read_text(), flags=re.MULTILINE)
        )
    assert f"\n{table}\n" in readme.read_text(), "make golden, or kennel cost --markdown --region us-east-1"


def test_the_json_has_every_charge_with_its_source(development: Assembly) -> None:
    found = json.loads(as_json(estimate(development.folder, REGION), "development"))
    assert {charge["source"] for charge in found["charges"]} <= found["sources"].keys()
    idle = sum(charge["usd"]["idle"] for charge in found["charges"])
    assert idle == pytest.approx(found["total_usd"]["idle"], abs=0.001)
    assert found["idle_hour_usd"] * found["hours_a_month"] == pytest.approx(idle, abs=0.001)


def kennel(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from ops.cli import main; main()", *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "PYTHONPATH": str(ROOT),
            "AWS_REGION": REGION,
            "COLUMNS": "200",
        },
        text=True,
        capture_output=True,
        check=False,
    )


def test_the_command_synthesises_the_settings_that_it_is_given() -> None:
    run = kennel("cost", "--json", "-c", "api.provisioned_concurrency=0", "--env", "production")
    found = json.loads(run.stdout)
    assert found["environment"] == "production"
    assert found["stacks_usd"]["Api"]["idle"] < 1
    assert found["without_price"] == found["without_verdict"] == []


def test_a_setting_that_does_not_exist_is_named_in_one_sentence() -> None:
    run = kennel("cost", "-c", "serving.scaling.max_instance=2")
    assert run.returncode == 1
    assert run.stderr.startswith("kennel: There is no setting 'serving.scaling.max_instance'.")
    assert len(run.stderr.splitlines()) == 1


def test_a_region_without_prices_is_refused_in_one_sentence(development: Assembly) -> None:
    run = kennel("cost", "--region", "sa-east-1", "--templates", str(development.folder))
    assert run.returncode == 1
    assert run.stderr.startswith("kennel: There is no price table for sa-east-1")


def test_a_setting_for_templates_that_exist_is_refused(development: Assembly) -> None:
    run = kennel("cost", "--templates", str(development.folder), "-c", "api.http=true")
    assert run.returncode == 2
    assert "leave out --templates" in run.stderr
