"""cdk-nag's AwsSolutions and Serverless packs: no finding without a reason, no reason without a finding."""

import aws_cdk as cdk
import pytest
from constructs import IConstruct

from app import build
from stacks.common import nag as acknowledge
from tests.infra.conftest import DEVELOPMENT, FLAGS, Assembly, Synthesise, load_settings
from tests.infra.nag import findings
from tests.infra.random_settings import EVERYDAY, random_settings

MOST = 13
"""Resources of the whole app that may differ from what the packs want, each with its reason."""


@pytest.mark.parametrize("environment", ["development", "production"])
def test_every_finding_is_acknowledged_beside_its_resource(request: pytest.FixtureRequest, environment: str) -> None:
    assembly: Assembly = request.getfixturevalue(environment)
    assert findings(assembly.app) == []


@pytest.mark.parametrize("seed", EVERYDAY)
def test_other_settings_bring_no_new_finding(synthesise: Synthesise, seed: int) -> None:
    assert findings(synthesise(*random_settings(seed)).app) == []


@pytest.fixture(scope="module")
def acknowledged(tmp_path_factory: pytest.TempPathFactory) -> tuple[cdk.App, list[tuple[str, str, str]]]:
    """The app as it is without any acknowledgement, and each that was to be made: rule, construct and reason."""
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

    app = cdk.App(context=FLAGS, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acknowledge, "Validations", Recorder)
        build(app, DEVELOPMENT, load_settings({}))
    return app, made


def test_each_acknowledgement_meets_a_finding_of_one_resource(
    acknowledged: tuple[cdk.App, list[tuple[str, str, str]]],
) -> None:
    app, made = acknowledged
    found = findings(app)
    for rule_id, path, reason in made:
        met = {at for rule, at in found if rule == rule_id and f"{at}/".startswith(f"{path}/")}
        assert len(met) == 1, (rule_id, path, met)
        assert len(reason) > 30, (rule_id, path)


def test_few_resources_need_one(acknowledged: tuple[cdk.App, list[tuple[str, str, str]]]) -> None:
    _, made = acknowledged
    resources = sorted({path for _, path, _ in made})
    assert len(resources) <= MOST, "\n".join(resources)
