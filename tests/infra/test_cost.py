"""`ops.cost`: each resource has a verdict, and the sums are those of AWS's own prices."""

import re
from pathlib import Path

import pytest

from ops.cost import CostError, Estimate, estimate
from ops.cost.charge import HOURS_A_MONTH
from ops.cost.price_table import PriceTable, regions
from ops.cost.verdicts import VERDICTS
from tests.infra.conftest import Assembly, Synthesise

REGION = "us-east-1"


@pytest.fixture(params=["development", "production"])
def environment(request: pytest.FixtureRequest) -> Assembly:
    found: Assembly = request.getfixturevalue(request.param)
    return found


def estimated(assembly: Assembly, region: str = REGION) -> Estimate:
    return estimate(assembly.folder, region)


def test_every_type_of_resource_has_a_verdict(environment: Assembly) -> None:
    types = {resource["Type"] for _, _, resource in environment.resources("*")}
    assert types <= VERDICTS.keys(), "decide in ops/cost/verdicts.py how AWS bills these"


def test_every_type_of_resource_that_a_setting_adds_has_a_verdict(synthesise: Synthesise) -> None:
    everything = synthesise(
        ("api.http", "true"), ("serving.capture.percent", 10), ("monitoring.email", "dogs@example.org")
    )
    assert estimated(everything).without_verdict == ()


def test_every_type_of_resource_that_a_setting_leaves_behind_has_a_verdict(synthesise: Synthesise) -> None:
    """A stack without resources cannot be deployed, so it gets one that does nothing."""
    little = synthesise(
        ("monitoring.monthly_budget_usd", 0), ("workbench.host", "false"), ("workbench.notebook", "false")
    )
    assert estimated(little).without_verdict == ()


def test_a_type_without_a_verdict_is_named(tmp_path: Path) -> None:
    (tmp_path / "Cats.template.json").write_text('{"Resources": {"Cat": {"Type": "AWS::Cats::Cat"}}}')
    assert estimate(tmp_path, REGION).without_verdict == ("AWS::Cats::Cat",)


def test_an_idle_endpoint_bills_its_least_instances_all_month(development: Assembly) -> None:
    hour = PriceTable.of(REGION).prices["sagemaker.instance.ml.m5.large"].usd
    instances = sum(line.usd("idle") for line in estimated(development).lines if "ml.m5.large" in line.price.key)
    assert instances == pytest.approx(hour * 730)


def test_an_endpoint_with_more_instances_costs_more_when_idle_and_at_worst(synthesise: Synthesise) -> None:
    one = estimated(synthesise())
    two = estimated(
        synthesise(
            ("serving.scaling.min_instances", 2),
            ("serving.initial_instances", 2),
            ("serving.scaling.max_instances", 6),
        )
    )
    assert two.usd("idle", "Serving") > 1.9 * one.usd("idle", "Serving")
    assert two.usd("worst", "Serving") > 1.9 * one.usd("worst", "Serving")


def test_provisioned_concurrency_is_billed_by_its_memory_and_seconds(synthesise: Synthesise) -> None:
    with_none = estimated(synthesise(("api.provisioned_concurrency", 0)))
    second = PriceTable.of(REGION).prices["lambda.provisioned.arm64"].usd
    difference = estimated(synthesise()).usd("idle", "Api") - with_none.usd("idle", "Api")
    assert difference == pytest.approx(3 * 0.5 * 730 * 3600 * second)


@pytest.mark.parametrize("setting", ["idle_stop_min", "notebook_idle_stop_min"])
def test_a_machine_that_does_not_stop_itself_bills_when_idle(setting: str, synthesise: Synthesise) -> None:
    stops, runs = estimated(synthesise()), estimated(synthesise((f"workbench.{setting}", 0)))
    assert stops.usd("idle", "Workbench") < 30
    assert runs.usd("idle", "Workbench") > 300


def test_one_training_bills_each_host(synthesise: Synthesise) -> None:
    two, four = estimated(synthesise()), estimated(synthesise(("training.instance_count", 4)))
    assert four.usd("training", "Training") == pytest.approx(2 * two.usd("training", "Training"), rel=0.05)
    assert two.usd("training", "Training") == pytest.approx(2 * 0.25 * 0.736, rel=0.05)


def test_a_given_artifact_needs_no_training(synthesise: Synthesise) -> None:
    given = estimated(synthesise(("training.model_data", "s3://dogs/model.tar.gz")))
    assert given.usd("training", "Training") == 0


def test_the_cases_come_in_order(environment: Assembly) -> None:
    found = estimated(environment)
    assert 0 < found.usd("idle") < found.usd("expected") < found.usd("worst")
    assert found.idle_hour_usd * HOURS_A_MONTH == pytest.approx(found.idle_month_usd)


def test_the_total_is_the_sum_of_the_stacks(environment: Assembly) -> None:
    found = estimated(environment)
    assert found.usd("worst") == pytest.approx(sum(found.usd("worst", stack) for stack in found.stacks))


def test_an_instance_type_without_a_price_is_named(synthesise: Synthesise) -> None:
    found = estimated(synthesise(("serving.instance_type", "ml.r5.24xlarge")))
    assert any("sagemaker.instance.ml.r5.24xlarge" in text for text in found.without_price)


def test_a_region_without_a_table_is_refused_with_those_that_have_one(development: Assembly) -> None:
    with pytest.raises(
        CostError, match=r"no price table for mars-1, only for .*us-east-1.*ops/cost/prices/mars-1.toml"
    ):
        estimated(development, "mars-1")


def test_a_folder_without_templates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CostError, match="make synth"):
        estimate(tmp_path, REGION)


@pytest.mark.parametrize("region", regions())
def test_every_figure_of_a_table_has_a_dated_source(region: str) -> None:
    table = PriceTable.of(region)
    assert table.region == region
    assert {price.source for price in table.prices.values()} == table.sources.keys()
    for source in table.sources.values():
        assert re.match(r"https://\S+$", source.address)
        assert source.about.endswith(".")
        if source.address.startswith("https://github.com/"):
            assert re.search(r"/(blob|tree)/[0-9a-f]{40}/", source.address), "without a commit the figure may be gone"
        assert source.address != "https://aws.amazon.com/pricing/", "name the page that has the figure"


def test_an_idle_month_does_not_reach_the_alert_of_the_default_budget(environment: Assembly) -> None:
    """The alert at 80 % must tell of something unexpected, and so must the forecast."""
    for region in regions():
        found = estimated(environment, region)
        assert found.budget_usd is not None
        assert found.usd("idle") < found.usd("expected") < 0.8 * found.budget_usd, region


@pytest.mark.parametrize("region", regions())
def test_a_table_has_every_price_that_the_environments_need_or_says_that_it_has_not(
    region: str, environment: Assembly
) -> None:
    found = estimated(environment, region)
    missing = {text.partition(" ")[0] for text in found.without_price}
    assert missing == set(found.table.left_out)
    assert missing <= {"codebuild.small", "sns.email"}, "a price that bills when idle, or more than cents"
