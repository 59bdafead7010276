"""`kennel audit` in a shell, on templates."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops.audit import table
from ops.audit.finding import Finding, Report
from ops.cli import app
from tests.operate.role_templates import role, template

EVERYTHING = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::photos"}


def kennel(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments], catch_exceptions=False)


def written(folder: Path, *statements: dict[str, Any]) -> str:
    (folder / "Api.template.json").write_text(json.dumps(template(*statements)))
    return str(folder)


def test_a_folder_of_good_templates_ends_with_status_0(tmp_path: Path) -> None:
    result = kennel("--templates", written(tmp_path))

    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("1 roles, no finding, 0 accepted (development, templates).")


def test_a_finding_is_a_line_with_what_to_do_and_exit_status_3(tmp_path: Path) -> None:
    result = kennel("--templates", written(tmp_path, EVERYTHING))

    assert result.exit_code == 3
    assert "\nhigh Api/Role: Rights allows s3:*, and each action that AWS adds to it." in result.stdout
    assert "\n        List the actions that the role calls." in result.stdout


def test_json_has_each_role_with_its_rights_and_each_finding(tmp_path: Path) -> None:
    result = kennel("--json", "--templates", written(tmp_path, EVERYTHING))

    content = json.loads(result.stdout)
    (one,) = content["roles"]
    assert (content["passed"], content["complete"]) == (False, True)
    assert [each["principal"] for each in one["assumed_by"]] == ["lambda.amazonaws.com"]
    assert [each["actions"] for each in one["statements"]][1] == ["s3:*"]
    assert content["findings"][0].keys() == {"severity", "subject", "where", "summary", "remedy", "accepted"}


def test_the_page_shows_text_of_others_as_text(tmp_path: Path) -> None:
    page = tmp_path / "roles.html"
    kennel(
        "--html", str(page), "--templates", written(tmp_path, {**EVERYTHING, "Action": "s3:<script>alert(1)</script>*"})
    )

    content = page.read_text()
    assert "s3:&lt;script&gt;" in content
    assert "<script" not in content
    assert "default-src 'none'" in content
    assert "http" not in content.replace("http-equiv", "")


def test_the_page_is_not_written_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    folder = written(tmp_path / "templates")

    result = CliRunner().invoke(app, ["audit", "--templates", folder, "--html", str(tmp_path / "roles.txt")])

    assert result.exit_code == 1
    assert "does not end with .html" in str(result.exception)


@pytest.mark.parametrize("more", [("-c", "api.memory_mib=512"), ("--templates", "cdk.out")])
def test_options_that_contradict_each_other_are_refused(more: tuple[str, str]) -> None:
    result = kennel("--live", *more)

    assert result.exit_code == 2
    assert "reads the deployed stacks" in " ".join(result.output.replace("│", "").split())


def test_a_folder_without_templates_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["audit", "--templates", str(tmp_path)])

    assert result.exit_code == 1
    assert "There are no templates in" in str(result.exception)


@pytest.mark.parametrize(("count", "said"), [(1, "1 check was"), (10, "10 checks were")])
def test_a_report_without_a_finding_that_is_incomplete_does_not_look_like_a_clean_one(count: int, said: str) -> None:
    unknown = Finding(severity="unknown", subject="drift", where="Api/Role", summary="AWS did not answer: No.")
    report = Report(environment="development", source="templates", roles=[role()], findings=[unknown] * count)

    assert report.open == []
    assert table.verdict(report).startswith(f"INCOMPLETE: {said} not possible, so findings may be missing;")
    assert "no finding in what could be checked" in table.verdict(report)
    assert json.loads(table.as_json(report))["passed"] is False
