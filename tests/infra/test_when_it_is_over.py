"""docs/when-it-is-over.md says what a destroy ends and what it leaves, as the templates have it."""

import json
import re
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped]

from ops.cost.verdicts import VERDICTS, Free
from tests.infra.conftest import ROOT, Assembly
from tests.infra.iam import rights
from tests.infra.runbook import headings

PAGE = (ROOT / "docs" / "when-it-is-over.md").read_text()
_, BILLED, STAYS, _ = re.split(r"^## .*$", PAGE, flags=re.MULTILINE)
BOOTSTRAP = ROOT / "node_modules" / "aws-cdk" / "lib" / "api" / "bootstrap" / "bootstrap-template.yaml"


@pytest.fixture(params=["development", "production"])
def assembly(request: pytest.FixtureRequest) -> Assembly:
    found: Assembly = request.getfixturevalue(request.param)
    return found


def test_each_type_that_bills_has_a_row(assembly: Assembly) -> None:
    types = {resource["Type"] for _, _, resource in assembly.resources("*")}
    billed = {name for name in types if not isinstance(VERDICTS[name], Free)}

    assert set(re.findall(r"^\| `(\w+::[\w:]+)` \|", BILLED, re.MULTILINE)) == billed


def test_only_the_bucket_of_a_protected_environment_is_kept(development: Assembly, production: Assembly) -> None:
    kept = {
        name: {
            resource["Type"]
            for _, _, resource in assembly.resources("*")
            if resource.get("DeletionPolicy", "Delete") != "Delete"
        }
        for name, assembly in (("development", development), ("production", production))
    }

    assert kept == {"development": set(), "production": {"AWS::S3::Bucket"}}
    assert "the bucket of an environment with `keep_bucket` (`production`)" in STAYS
    assert set(re.findall(r"runbook\.md#([\w-]+)", PAGE)) <= headings()


def test_what_a_role_may_create_outside_of_the_stacks_is_listed(assembly: Assembly) -> None:
    groups = {
        name
        for right in rights(assembly)
        if "logs:CreateLogGroup" in right.actions
        for name in re.findall(r"log-group:(/[\w/]+)", json.dumps(right.resources))
    }
    linked = set(
        re.findall(r"aws-service-role/[\w.-]+/(\w+)", json.dumps([assembly.raw(stack) for stack in assembly.names]))
    )

    assert groups
    assert linked
    for name in groups | linked:
        assert f"`{name}`" in STAYS, name


def test_the_days_of_the_key_are_those_of_the_template(assembly: Assembly) -> None:
    assert f"after {assembly.only('AWS::KMS::Key')['PendingWindowInDays']} days" in BILLED


def test_what_the_bootstrap_stack_keeps_is_listed() -> None:
    template: dict[str, Any] = load(str(BOOTSTRAP))
    kept = {name for name, each in template["Resources"].items() if each.get("DeletionPolicy") == "Retain"}

    assert kept
    for name in kept:
        assert f"`{name}`" in STAYS, name
