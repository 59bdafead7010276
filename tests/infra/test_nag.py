"""cdk-nag's AwsSolutions and Serverless packs: every finding is acknowledged, and every acknowledgement is needed."""

import aws_cdk as cdk
import pytest
from constructs import IConstruct

from app import build
from stacks.common import nag
from tests.infra.conftest import DEVELOPMENT, FLAGS, Assembly, Synthesise, load_settings
from tests.infra.nag import findings
from tests.infra.random_settings import EVERYDAY, THOROUGH, random_settings

MAX_ACKNOWLEDGED = 14
"""The number of resources in the whole app that may have acknowledged findings."""


@pytest.mark.parametrize("environment", ["development", "production"])
def test_every_finding_is_acknowledged_beside_its_resource(request: pytest.FixtureRequest, environment: str) -> None:
    assembly: Assembly = request.getfixturevalue(environment)
    assert findings(assembly.app) == []


@pytest.mark.parametrize("seed", EVERYDAY)
def test_other_settings_bring_no_new_finding(synthesise: Synthesise, seed: int) -> None:
    assert findings(synthesise(*random_settings(seed)).app) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", THOROUGH[:10])
def test_more_settings_bring_no_new_finding(synthesise: Synthesise, seed: int) -> None:
    assert findings(synthesise(*random_settings(seed)).app) == []


@pytest.fixture(scope="module")
def acknowledged(tmp_path_factory: pytest.TempPathFactory) -> tuple[cdk.App, list[tuple[str, str, str]]]:
    """The app without acknowledgements, and the acknowledgements as (rule, construct path, reason)."""
    made: list[tuple[str, str, str]] = []

    class Recorder:
        """Replaces CDK's Validations: it records acknowledgements instead of making them."""

        def __init__(self, construct: IConstruct) -> None:
            self.path = construct.node.path

        @classmethod
        def of(cls, construct: IConstruct) -> "Recorder":
            return cls(construct)

        def acknowledge(self, *rules: cdk.Acknowledgment) -> None:
            made.extend((rule.id, self.path, rule.reason) for rule in rules)

    app = cdk.App(context=FLAGS, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nag, "Validations", Recorder)
        build(app, DEVELOPMENT, load_settings({}))
    return app, made


def test_each_acknowledgement_matches_the_finding_of_one_resource(
    acknowledged: tuple[cdk.App, list[tuple[str, str, str]]],
) -> None:
    app, made = acknowledged
    found = findings(app)
    for rule_id, path, reason in made:
        met = {at for rule, at in found if rule == rule_id and f"{at}/".startswith(f"{path}/")}
        assert len(met) == 1, (rule_id, path, met)
        assert len(reason) > 30, (rule_id, path)


def test_few_resources_have_acknowledged_findings(acknowledged: tuple[cdk.App, list[tuple[str, str, str]]]) -> None:
    _, made = acknowledged
    resources = sorted({path for _, path, _ in made})
    assert len(resources) <= MAX_ACKNOWLEDGED, "\n".join(resources)
