"""docs/environments.md, "Accounts with guardrails": the example is a file that the app reads, and does what it says."""

import fnmatch
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import environments
from environments import Environment
from stacks.settings.parse import load
from tests.infra.conftest import ROOT, Assembly, Synthesise
from tests.infra.declared import SETTINGS
from tests.infra.iam import rights
from tests.infra.nag import findings

SECTION = "## Accounts with guardrails"
OPTIONAL = {
    # every setting for such accounts: those that are ids of the user's own, and two more
    name
    for name, declared in SETTINGS.items()
    if (declared.pattern and re.search(r"subnet-|sg-|vpc-|:kms:", declared.pattern.expression))
    or name in ("training.package_index", "workbench.notebook_internet")
}


def section() -> str:
    _, _, rest = (ROOT / "docs" / "environments.md").read_text().partition(f"\n{SECTION}\n")
    return rest.partition("\n## ")[0]


@pytest.fixture
def guarded(tmp_path: Path) -> Environment:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", section(), re.DOTALL | re.MULTILINE)
    (tmp_path / "guarded.toml").write_text(example)
    return environments.load("guarded", tmp_path)


@pytest.fixture
def assembly(guarded: Environment, synthesise: Synthesise) -> Assembly:
    return synthesise(environment=guarded)


def test_the_example_sets_every_setting_for_such_accounts(guarded: Environment) -> None:
    given = {f"{section}.{name}" for section, table in guarded.settings.items() for name in table}
    # the groups of the workbench are the alternative to its VPC
    assert OPTIONAL - given == {"workbench.security_groups"}
    assert given <= OPTIONAL
    assert len(guarded.tags) > 1


def test_the_example_is_valid(guarded: Environment) -> None:
    settings = load(guarded, {})
    assert settings.training.subnets == settings.serving.subnets
    assert settings.storage.kms_key_arn.split(":")[3:5] == [guarded.region, guarded.account]


def test_the_examples_resources_are_in_its_network_and_under_its_key(assembly: Assembly, guarded: Environment) -> None:
    settings = load(guarded, {})
    (rule,) = assembly.only("AWS::S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == settings.storage.kms_key_arn
    assert assembly.only("Custom::TrainingJob")["Subnets"] == list(settings.training.subnets)
    assert assembly.only("AWS::SageMaker::Model")["VpcConfig"]["Subnets"] == list(settings.serving.subnets)
    notebook = assembly.only("AWS::SageMaker::NotebookInstance")
    assert (notebook["SubnetId"], notebook["DirectInternetAccess"]) == (settings.workbench.subnet, "Disabled")
    assert assembly.only("AWS::EC2::Instance")["SubnetId"] == settings.workbench.subnet
    assert list(assembly.resources("AWS::EC2::VPC")) == []


def test_the_example_brings_no_finding_of_cdk_nag(assembly: Assembly) -> None:
    assert findings(assembly.app) == []


def test_cfn_lint_finds_nothing_in_the_examples_templates(assembly: Assembly) -> None:
    templates = [str(assembly.folder / f"{stack}.template.json") for stack in assembly.names]
    lint = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([str(lint), *templates], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_statement_for_the_keys_policy_gives_every_role_what_it_needs(
    assembly: Assembly, guarded: Environment
) -> None:
    """KMS refuses a wildcard in a principal's ARN, and a role that does not exist; a condition may have one."""
    (text,) = re.findall(r"^```json\n(.*?)^```$", section(), re.DOTALL | re.MULTILINE)
    statement = json.loads(text)
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{guarded.account}:root"}
    needed = {action for right in rights(assembly) for action in right.actions if action.startswith("kms:")}
    assert set(statement["Action"]) == needed
    (pattern,) = statement["Condition"]["ArnLike"].values()
    manifest = json.loads((assembly.folder / "manifest.json").read_text())["artifacts"]
    for right in rights(assembly):
        # CloudFormation starts a role's name with that of its stack
        role = f"arn:aws:iam::{guarded.account}:role/{manifest[right.stack]['properties']['stackName']}-{right.holder}"
        assert fnmatch.fnmatchcase(role, pattern), role


def test_the_section_names_every_setting_for_such_accounts() -> None:
    text = section()
    for name in OPTIONAL - {"workbench.security_groups"}:
        assert name.rpartition(".")[2] in text, name
