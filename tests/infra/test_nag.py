"""cdk-nag's AwsSolutions pack over both presets: no finding without a reason, no reason without a finding."""

import aws_cdk as cdk
import pytest
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

from app import build
from stacks.constructs import acknowledge
from stacks.overrides import load
from tests.infra.conftest import FLAGS, Assembly, Synthesise


def findings(app: cdk.App) -> list[tuple[str, str]]:
    """Rule and construct of what is not acknowledged."""
    report = AwsSolutionsChecks(app).validate_scope(app)
    return [
        (violation.rule_name, str(resource.construct_path))
        for violation in report.violations
        for resource in violation.violating_resources
    ]


@pytest.mark.parametrize("preset", ["development", "production"])
def test_every_finding_is_acknowledged_beside_its_resource(request: pytest.FixtureRequest, preset: str) -> None:
    assembly: Assembly = request.getfixturevalue(preset)
    assert findings(assembly.app) == []


@pytest.mark.parametrize(
    "override",
    [
        ("training.model_data", "s3://models/dogs/model.tar.gz"),
        ("training.pretrained_uri", "s3://weights/resnet50.pth"),
        ("serving.image_uri", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/dogs:1"),
        ("workbench.host", "false"),
        ("project.name", "shelter"),
        ("storage.data_prefix", "photos/"),
    ],
)
def test_other_settings_bring_no_new_finding(synthesise: Synthesise, override: tuple[str, object]) -> None:
    assert findings(synthesise(override).app) == []


def test_each_acknowledgement_meets_a_finding_and_has_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made: list[tuple[str, str, str]] = []

    class Recorder:
        """Stands where acknowledgements are made, and makes none."""

        def __init__(self, construct: IConstruct) -> None:
            self.path = construct.node.path

        @classmethod
        def of(cls, construct: IConstruct) -> "Recorder":
            return cls(construct)

        def acknowledge(self, *rules: cdk.Acknowledgment) -> None:
            made.extend((rule.id, self.path, rule.reason) for rule in rules)

    monkeypatch.setattr(acknowledge, "Validations", Recorder)
    app = cdk.App(context=FLAGS, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    build(app, load({}))
    open_findings = findings(app)
    for rule_id, path, reason in made:
        assert [rule for rule, at in open_findings if rule == rule_id and f"{at}/".startswith(f"{path}/")], (
            rule_id,
            path,
        )
        assert len(reason) > 30, (rule_id, path)
