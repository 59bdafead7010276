"""cdk-nag's AwsSolutions pack over both presets: no finding without a reason, no reason without a finding."""

import pytest
from cdk_nag import AwsSolutionsChecks

from tests.infra.conftest import Assembly, Synthesise


def findings(assembly: Assembly) -> list[str]:
    """What is not acknowledged."""
    report = AwsSolutionsChecks(assembly.app).validate_scope(assembly.app)
    return [
        f"{violation.rule_name} {resource.construct_path}"
        for violation in report.violations
        for resource in violation.violating_resources
    ]


@pytest.mark.parametrize("preset", ["development", "production"])
def test_every_finding_is_acknowledged_beside_its_resource(request: pytest.FixtureRequest, preset: str) -> None:
    assert findings(request.getfixturevalue(preset)) == []


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
    assert findings(synthesise(override)) == []
