"""What `kennel deploy` derives before it asks: stacks, settings, permissions, minutes."""

import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from environments.environment import STACKS
from ops.deploy.assembly import Assembly as CloudAssembly
from ops.deploy.cdk import Cdk
from ops.deploy.errors import DeployRefusedError
from ops.deploy.minutes import ceiling, minutes
from ops.deploy.options import Options
from ops.deploy.permissions import Permissions
from ops.deploy.summary import Summary
from stacks.settings import Settings
from tests.infra.conftest import DEVELOPMENT, ROOT, Assembly, Synthesise, load_settings

ORDER = [kind.capitalize() for kind in STACKS]


@pytest.mark.parametrize(
    ("names", "exclusively", "chosen"),
    [
        (["--all"], False, ORDER),
        (["Storage"], False, ["Monitoring", "Budget", "Storage"]),
        (["Api", "Storage"], False, ["Monitoring", "Budget", "Storage", "Api"]),
        (["Workbench"], False, ORDER),
        (["Workbench"], True, ["Workbench"]),
        (["Serving", "Api"], True, ["Serving", "Api"]),
    ],
)
def test_the_chosen_stacks_are_those_that_cdk_would_deploy(
    development: Assembly, names: list[str], exclusively: bool, chosen: list[str]
) -> None:
    assert CloudAssembly(development.folder).stacks(names, exclusively=exclusively) == chosen


def test_an_unknown_stack_is_refused_with_the_known_ones(development: Assembly) -> None:
    with pytest.raises(DeployRefusedError, match=r"no stack 'Storrage'\. The stacks are Monitoring, Budget, Storage"):
        CloudAssembly(development.folder).stacks(["Storrage"])


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "api.memory_mib=512"],
        ["-capi.memory_mib=512"],
        ["--context", "api.memory_mib=512"],
        ["--context=api.memory_mib=512"],
        ["--verbose", "-c", "api.memory_mib=512", "--no-rollback"],
        ["-c", "api.memory_mib=256", "-c", "api.memory_mib=512"],
    ],
)
def test_the_settings_are_read_from_the_options_of_cdk(words: list[str]) -> None:
    assert Options.of(words).context == {"api.memory_mib": "512"}


def test_a_value_with_an_equals_sign_stays_whole() -> None:
    assert Options.of(["-c", "tags.team=a=b"]).context == {"tags.team": "a=b"}


@pytest.mark.parametrize("words", [["-c"], ["-c", "nothing"], ["--context", "=3"]])
def test_an_option_without_a_value_is_refused(words: list[str]) -> None:
    with pytest.raises(DeployRefusedError, match="NAME=VALUE"):
        _ = Options.of(words).context


def test_a_deploy_takes_longer_with_more_to_do() -> None:
    frozen, full = Settings(), load_settings({"training.mode": "full"})
    trained = load_settings({"training.model_data": "s3://models/dogs/model.tar.gz"})
    built = load_settings({"serving.image_uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/dogs:1"})
    assert minutes("Training", full) > minutes("Training", frozen) > minutes("Training", trained)
    assert minutes("Serving", frozen) > minutes("Serving", built)
    assert minutes("Training", full) <= frozen.training.WAIT_CEILING_MIN
    assert minutes("Serving", frozen) * 60 <= frozen.serving.rollout.timeout_s


def test_every_stack_has_an_estimate_in_minutes() -> None:
    assert all(minutes(stack, Settings()) >= 1 for stack in ORDER)


def test_only_the_stacks_that_can_take_long_have_a_ceiling() -> None:
    assert ceiling(["Storage", "Api"], Settings()) == ""
    assert ceiling(ORDER, Settings()) == "a training ends after 55 minutes and an update of the endpoint after 60"
    trained = load_settings({"training.model_data": "s3://models/dogs/model.tar.gz"})
    assert ceiling(["Training"], trained) == ""


def summary(development: Assembly, stacks: list[str], region: str = "us-east-1") -> Summary:
    return Summary.of(
        development.folder,
        environment="development",
        account="123456789012",
        region=region,
        stacks=stacks,
        settings=Settings(),
        permissions=Permissions.read("Number of stacks with differences: 0"),
        tables=Path("permissions.txt"),
    )


def test_the_price_is_that_of_the_chosen_stacks(development: Assembly) -> None:
    storage, all_stacks = summary(development, ["Storage"]), summary(development, ORDER)
    assert 0 < storage.usd("idle") < 1 < all_stacks.usd("idle")
    assert all_stacks.usd("idle") < all_stacks.usd("worst")
    assert all_stacks.usd("idle") == pytest.approx(sum(summary(development, [one]).usd("idle") for one in ORDER))


def test_what_has_no_price_is_named_beside_the_price(synthesise: Synthesise) -> None:
    """An endpoint that bills thousands may be missing in the sums."""
    console = Console(width=400, record=True, file=StringIO())
    summary(synthesise(("serving.instance_type", "ml.r5.24xlarge")), ORDER).show(console)
    missing = "sagemaker.instance.ml.r5.24xlarge (such as: endpoint, 1 to 3 ml.r5.24xlarge)"
    assert f"because the price in us-east-1 is unknown: {missing}." in console.export_text()


def test_a_region_without_prices_stops_no_deploy(development: Assembly) -> None:
    found = summary(development, ["Storage"], region="xx-nowhere-1")
    assert found.cost is None
    assert "xx-nowhere-1" in found.no_cost


def test_the_permissions_of_each_stack_are_counted_and_the_tables_kept() -> None:
    printed = (ROOT / "tests" / "infra" / "security_diff.txt").read_text(encoding="utf-8")
    found = Permissions.read(printed)
    assert found.added == {"Monitoring": 4, "Storage": 2}
    assert found.removed == {"Storage": 1}
    assert "Could not find" not in found.tables
    assert "Please confirm" not in found.tables
    assert found.tables.count("(NOTE: ") == 1


@pytest.mark.parametrize("printed", ["", "Number of stacks with differences: 1", "│ + │ x\n"])
def test_a_change_that_cannot_be_read_is_an_error(printed: str) -> None:
    with pytest.raises(DeployRefusedError, match="another form"):
        Permissions.read(printed)


def test_signals_reach_cdk_and_no_program_between() -> None:
    """Otherwise SIGTERM ends the program between, and CDK goes on deploying."""
    cdk = Cdk(DEVELOPMENT)
    node = shutil.which("node", path=cdk.variables["PATH"])
    assert node is not None
    assert not Path(node).read_bytes().startswith(b"#!"), f"{node} is a script that starts node"
