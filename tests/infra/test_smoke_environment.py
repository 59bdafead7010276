"""environments/smoke.toml is the cheapest deployment, and shares no name with another one."""

import pytest

import environments
from ops.cost.price_table import PriceTable
from ops.smoke.price import price
from stacks.settings.parse import load
from tests.infra.conftest import Assembly, Synthesise

SMOKE = environments.load("smoke")
MODEL = ("training.model_data", "s3://a-bucket/model.tar.gz")

SETTINGS = load(SMOKE, dict([MODEL]))


@pytest.fixture(scope="module")
def smoke(synthesise: Synthesise) -> Assembly:
    return synthesise(MODEL, environment=environments.load("smoke"))


def test_a_smoke_run_costs_well_under_a_dollar(smoke: Assembly) -> None:
    found = price(smoke.folder, "us-east-1", SETTINGS)
    assert 0.05 < found.usd < 0.5


def test_a_region_without_a_price_table_gets_the_price_of_another_by_name(smoke: Assembly) -> None:
    assert price(smoke.folder, "eusc-de-east-1", SETTINGS).region == "us-east-1"


def test_the_endpoint_is_counted_twice_because_an_update_runs_two_fleets(smoke: Assembly) -> None:
    hour = PriceTable.of("us-east-1").prices["sagemaker.instance.ml.m5.large"].usd
    found = price(smoke.folder, "us-east-1", SETTINGS)
    assert found.usd > 2 * hour * found.minutes / 60


def test_an_endpoint_without_a_price_is_named(smoke: Assembly, synthesise: Synthesise) -> None:
    other = synthesise(MODEL, ("serving.instance_type", "ml.m5.24xlarge"), environment=environments.load("smoke"))
    assert price(smoke.folder, "us-east-1", SETTINGS).without_price == ()
    assert "ml.m5.24xlarge" in "".join(price(other.folder, "us-east-1", SETTINGS).without_price)


@pytest.mark.parametrize(
    "expensive",
    ["Custom::TrainingJob", "AWS::EC2::Instance", "AWS::SageMaker::NotebookInstance", "AWS::EC2::NatGateway"],
)
def test_it_deploys_nothing_that_is_expensive(smoke: Assembly, expensive: str) -> None:
    assert not list(smoke.resources(expensive))


def test_it_has_no_provisioned_concurrency(smoke: Assembly) -> None:
    aliases = [resource["Properties"] for _, _, resource in smoke.resources("AWS::Lambda::Alias")]
    assert aliases
    assert not any("ProvisionedConcurrencyConfig" in alias for alias in aliases)


def test_a_destroy_deletes_all_of_it() -> None:
    protection = environments.load("smoke").protection
    assert (protection.termination, protection.keep_bucket) == (False, False)
