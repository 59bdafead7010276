"""What `kennel preflight` knows of the templates is what they have."""

import json
import subprocess
import sys
from typing import Any

import boto3
import pytest

from environments import Environment
from ops.preflight.bootstrap import ASSET_READERS, LEAST_VERSION
from ops.preflight.names import names
from ops.preflight.quotas import codebuild_needs, sagemaker_needs
from ops.preflight.service_quotas import CODES
from ops.preflight.target import Target, with_needed
from ops.preflight.vcpus import group
from tests.infra.conftest import DEVELOPMENT, Assembly, Synthesise, load_settings

REGION = "eu-west-1"
NAMES = {
    "AWS::ApiGatewayV2::Api": (),  # several may have one name
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::CodeBuild::Project": ("Name",),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::SageMaker::Endpoint": ("EndpointName",),
    "AWS::SageMaker::ModelPackageGroup": ("ModelPackageGroupName",),
}
"""Types that the stacks give a physical name, with the property."""

WITHIN_A_PARENT = {"AWS::ApiGatewayV2::Stage", "AWS::IAM::Policy", "AWS::Lambda::Alias"}
"""Types whose names are unique within another resource of the stack only."""


def target(**overrides: object) -> Target:
    return Target(
        environment=DEVELOPMENT,
        settings=load_settings(overrides),
        stacks=with_needed(["--all"]),
        session=boto3.Session(region_name=REGION),
        account="123456789012",
        region=REGION,
    )


def physical_names(assembly: Assembly) -> set[str]:
    """Each physical name in the templates, as it will be in the region."""
    found = set()
    for _, _, resource in assembly.resources("*"):
        for key in NAMES.get(resource["Type"], ()):
            if key in resource["Properties"]:
                found.add(_text(resource["Properties"][key]))
    return found


def _text(value: Any) -> str:
    match value:
        case {"Fn::Join": ["", [*parts]]}:
            return "".join(_text(part) for part in parts)
        case {"Ref": "AWS::Region"}:
            return REGION
    assert isinstance(value, str), value
    return value


def test_every_physical_name_of_the_templates_is_looked_up(synthesise: Synthesise) -> None:
    assembly = synthesise(("api.http", "true"))

    assert physical_names(assembly) == {name.name for name in names(target(**{"api.http": "true"}))}


def test_no_other_type_has_a_physical_name(synthesise: Synthesise) -> None:
    """A new one belongs to `ops/preflight/names.py`, and into `NAMES` here."""
    named = {
        resource["Type"]
        for _, _, resource in synthesise(("api.http", "true")).resources("*")
        for key in resource.get("Properties", {})
        if resource["Type"].startswith("AWS::") and key in ("Name", f"{resource['Type'].rpartition('::')[2]}Name")
    }

    assert named - WITHIN_A_PARENT == set(NAMES)


def test_the_bootstrap_version_is_the_one_that_every_template_asks_for(development: Assembly) -> None:
    for stack in development.names:
        rule = development.raw(stack)["Rules"]["CheckBootstrapVersion"]["Assertions"][0]["Assert"]
        assert max(int(version) for version in rule["Fn::Not"][0]["Fn::Contains"][0]) + 1 == LEAST_VERSION
    manifest = json.loads((development.folder / "manifest.json").read_text())["artifacts"].values()
    asked = [item["properties"].get("requiresBootstrapStackVersion", 0) for item in manifest if "properties" in item]
    assert max(asked) == LEAST_VERSION


def test_the_finding_about_a_key_names_every_role_that_reads_assets(development: Assembly) -> None:
    """The training job, the image build, the training host and the notebook. Lambda's code is read by the deploy."""
    roles = {
        json.dumps(resource["Properties"]["Roles"])
        for _, _, resource in development.resources("AWS::IAM::Policy")
        if "cdk-hnb659fds-assets" in json.dumps(resource["Properties"]["PolicyDocument"])
    }

    assert len(roles) == len(ASSET_READERS)


def test_the_quotas_are_of_what_the_templates_start(development: Assembly) -> None:
    job = development.only("Custom::TrainingJob")
    variant = development.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"][0]
    notebook = development.only("AWS::SageMaker::NotebookInstance")
    build = development.only("AWS::CodeBuild::Project")["Environment"]

    needed = {(need.name, need.least) for need in (*sagemaker_needs(target()), *codebuild_needs(target()))}

    assert {
        (f"{job['InstanceType']} for training job usage", int(job["InstanceCount"])),
        (f"{variant['InstanceType']} for endpoint usage", int(variant["InitialInstanceCount"])),
        (f"{notebook['InstanceType']} for notebook instance usage", 1),
    } <= needed
    assert (build["ComputeType"], build["Type"]) == ("BUILD_GENERAL1_SMALL", "LINUX_CONTAINER")
    assert ("Concurrently running builds for Linux/Small environment", 1) in needed


def test_the_defaults_list_no_service_to_find_a_quota() -> None:
    """A list of SageMaker's thousands of quotas takes seconds, and AWS throttles it."""
    needed = [*sagemaker_needs(target()), *codebuild_needs(target())]

    assert {(need.service, need.name) for need in needed} <= set(CODES)


@pytest.mark.parametrize(
    ("kind", "families"),
    [
        ("g4dn.xlarge", "G and VT"),
        ("g6e.xlarge", "G and VT"),
        ("gr6.4xlarge", "G and VT"),
        ("vt1.3xlarge", "G and VT"),
        ("p3.2xlarge", "P"),
        ("m5.large", "Standard (A, C, D, H, I, M, R, T, Z)"),
        ("inf2.xlarge", "Inf"),
        ("trn1.2xlarge", "Trn"),
        ("dl1.24xlarge", "DL"),
    ],
)
def test_an_instance_type_counts_in_the_quota_of_its_families(kind: str, families: str) -> None:
    assert group(kind) == families


def test_preflight_needs_neither_cdk_nor_torch() -> None:
    """It runs before the first deploy, with what `make deploy` installs; importing CDK takes seconds."""
    code = (
        "import sys, ops.preflight.run, ops.preflight.table\n"
        "print([name for name in ('aws_cdk', 'jsii', 'torch', 'numpy', 'openvino', 'PIL') if name in sys.modules])"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_another_environment_has_its_own_names() -> None:
    other = Environment(name="qa")
    found = names(
        Target(
            environment=other,
            settings=load_settings({"serving.endpoint_name": other.endpoint_name}),
            stacks=with_needed(["--all"]),
            session=boto3.Session(region_name=REGION),
            account="123456789012",
            region=REGION,
        )
    )

    assert {name.name for name in found}.isdisjoint(name.name for name in names(target()))
