"""`kennel models` and `kennel rollback`: the registry's versions, what serves, and the update to another one."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

import ops.session
from ops.cli import app
from ops.models import table
from ops.models.errors import ModelsError
from ops.models.rollback import Rollback
from ops.models.serving import Serving, serving
from ops.models.versions import Version, version, versions
from ops.views.steps import terminal
from stacks.training.handler.registry import Registry
from stacks.training.handler.request import JobRequest
from tests.infra.events import BUCKET, properties
from tests.registered import REGION, served, trained, use_registry, use_updates

GROUP, ENDPOINT = "kennel-development", "pytorch-dog-classifier-multi-instance"
POLICY = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300}}
GUARD = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}, "BlueGreenUpdatePolicy": POLICY}


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Any]]:
    """Clients of one account on moto, which take seconds to make."""
    with mock_aws():
        made: Any = boto3.client
        found = {name: made(name, region_name=REGION) for name in ("sagemaker", "s3", "cloudwatch")}
        found["s3"].create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield found


@pytest.fixture
def sagemaker(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """An account with an empty group."""
    use_registry(monkeypatch)
    clients["sagemaker"].create_model_package_group(ModelPackageGroupName=GROUP)
    return clients["sagemaker"]


def register(sagemaker: Any, number: int, **metrics: float) -> str:
    """Register a training. Returns the URI of its artifact."""
    job = f"kennel-{number:010}aaaaaaaaaa"
    uri = trained(sagemaker, job, bucket=BUCKET, **metrics)
    request = JobRequest.of(properties(ModelGroup=GROUP, EndpointName=ENDPOINT))
    Registry(sagemaker=sagemaker).admit(request, sagemaker.describe_training_job(TrainingJobName=job), kept=True)
    return uri


@pytest.fixture
def two(sagemaker: Any, clients: dict[str, Any]) -> list[str]:
    """Two versions, of which the second one serves. The URIs of their artifacts."""
    first = register(sagemaker, 1, **{"test:served_accuracy": 0.91, "test:ece": 0.02, "temperature": 1.5})
    second = register(sagemaker, 2, **{"test:accuracy": 0.8})
    served(sagemaker, second, endpoint=ENDPOINT)
    for uri in (first, second):
        clients["s3"].put_object(Bucket=BUCKET, Key=uri.split("/", 3)[3], Body=b"model")
    return [first, second]


def rollback(sagemaker: Any, number: int = 1, *, endpoint: dict[str, Any] | None = None, **options: Any) -> Rollback:
    """The update to a version, of an endpoint that is guarded by the alarm `errors`."""
    before = serving(sagemaker, ENDPOINT)
    assert before is not None
    described = {**before.endpoint, "LastDeploymentConfig": GUARD, **(endpoint or {})}
    return Rollback(
        sagemaker=sagemaker,
        version=version(sagemaker, GROUP, number),
        before=dataclasses.replace(before, endpoint=described),
        group=GROUP,
        tags={"project": "kennel"},
        sleep=lambda _: None,
        **options,
    )


def run(change: Rollback) -> Serving:
    return change.run(lambda *_: None)


def printed(found: list[Version], serves: Serving | None) -> str:
    console = terminal()
    with console.capture() as capture:
        table.print_versions(found, ENDPOINT, serves, console)
    return capture.get()


def test_the_newest_versions_come_first_with_their_figures(sagemaker: Any, two: list[str]) -> None:
    found = versions(sagemaker, GROUP, most=10)

    assert [(each.number, each.artifact) for each in found] == [(2, two[1]), (1, two[0])]
    # exact: texts of six digits that are read, not computed
    assert (found[1].accuracy, found[1].calibration_error, found[1].temperature) == (0.91, 0.02, 1.5)
    # exact: texts of six digits that are read, not computed
    assert (found[0].accuracy, found[0].calibration_error) == (0.8, None)
    assert [each.number for each in versions(sagemaker, GROUP, most=1)] == [2]


def test_the_table_shows_which_version_serves(sagemaker: Any, two: list[str]) -> None:
    _ = two
    text = printed(versions(sagemaker, GROUP, most=10), serving(sagemaker, ENDPOINT))

    rows = {line.split()[0]: line for line in text.splitlines() if line.split() and line.split()[0] in "12"}
    assert ("yes" in rows["2"], "yes" in rows["1"]) == (True, False)
    assert all(figure in rows["1"] for figure in ("0.9100", "0.0200", "1.5000", "aaaaaaaaaa", "Approved"))
    assert f"The endpoint {ENDPOINT} is InService and serves version 2." in text


def test_a_version_that_is_not_approved_has_its_reason_below_the_table(sagemaker: Any, two: list[str]) -> None:
    _ = two
    found = version(sagemaker, GROUP, 1)
    rejected = dataclasses.replace(found, approval="Rejected", reason="it \x1b[31mbites")

    assert "version 1: it \\x1b[31mbites" in printed([rejected], None)


def test_without_a_version_and_without_an_endpoint_the_next_step_is_printed(sagemaker: Any) -> None:
    text = printed(versions(sagemaker, GROUP, most=10), serving(sagemaker, ENDPOINT))

    assert "No training is registered yet. A deploy registers each one" in text
    assert f"There is no endpoint {ENDPOINT}" in text


def test_an_artifact_outside_the_registry_is_named(sagemaker: Any, two: list[str]) -> None:
    _ = two
    found = versions(sagemaker, GROUP, most=10)[1:]

    assert "which is none of the versions above" in printed(found, serving(sagemaker, ENDPOINT))


def test_a_missing_group_and_a_missing_version_are_sentences(sagemaker: Any) -> None:
    with pytest.raises(ModelsError, match=f"There is no model package group cats in {REGION}: the Training stack"):
        versions(sagemaker, "cats", most=1)
    with pytest.raises(ModelsError, match=r"has no version 4\. It has none yet"):
        version(sagemaker, GROUP, 4)


def test_a_rollback_is_an_update_with_the_guard_of_the_last_one(
    sagemaker: Any, two: list[str], clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = use_updates(monkeypatch)
    change = rollback(sagemaker)
    change.check(clients["s3"], clients["cloudwatch"])
    after = run(change)

    name = f"{GROUP}-v1"
    assert updates == [
        {
            "EndpointName": ENDPOINT,
            "EndpointConfigName": name,
            "RetainAllVariantProperties": True,
            "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DataCaptureConfig"}],
            "DeploymentConfig": GUARD,
        }
    ]
    assert (after.artifact, after.model["ModelName"]) == (two[0], name)
    assert after.model["PrimaryContainer"]["Image"] == change.before.model["PrimaryContainer"]["Image"]
    assert after.model["ExecutionRoleArn"] == change.before.model["ExecutionRoleArn"]
    assert after.config["ProductionVariants"][0]["InstanceType"] == "ml.m5.large"
    assert sagemaker.list_tags(ResourceArn=after.model["ModelArn"])["Tags"] == [{"Key": "project", "Value": "kennel"}]


def test_an_unguarded_rollback_has_no_alarms(sagemaker: Any, two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _ = two
    updates = use_updates(monkeypatch)
    run(rollback(sagemaker, guarded=False))

    assert updates[0]["DeploymentConfig"] == {"BlueGreenUpdatePolicy": POLICY}


def test_a_second_rollback_deletes_what_the_first_one_created(
    sagemaker: Any, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = two
    use_updates(monkeypatch)
    run(rollback(sagemaker))
    run(rollback(sagemaker, 2))

    left = {each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]}
    assert left == {"first", f"{GROUP}-v2"}, "the one of the stack stays"
    assert left == {each["ModelName"] for each in sagemaker.list_models()["Models"]}


def test_a_version_is_served_again_after_another_one(
    sagemaker: Any, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its names are taken if the rollback in between was ended before it deleted them."""
    use_updates(monkeypatch)
    run(rollback(sagemaker))
    monkeypatch.setattr(Rollback, "_delete_earlier", lambda *_: None)
    run(rollback(sagemaker, 2))

    assert run(rollback(sagemaker)).artifact == two[0]


def test_an_update_that_sagemaker_rolls_back_is_an_error_and_leaves_nothing(
    sagemaker: Any, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = two
    use_updates(monkeypatch, rolled_back=True)
    with pytest.raises(ModelsError, match=r"does not serve version 1: SageMaker rolled the update back.*alarms fired"):
        run(rollback(sagemaker))

    assert [each["ModelName"] for each in sagemaker.list_models()["Models"]] == ["first"]
    assert [each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]] == ["first"]


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ({"EndpointStatus": "Updating"}, "is Updating, not InService. Wait"),
        ({"EndpointStatus": "Failed", "FailureReason": "no memory"}, r"is Failed, not InService \(no memory\)"),
        ({"LastDeploymentConfig": None}, "had no alarms, so nothing would end an update"),
    ],
)
def test_an_endpoint_that_cannot_be_updated_with_a_guard_is_refused(
    sagemaker: Any, two: list[str], clients: dict[str, Any], endpoint: dict[str, Any], sentence: str
) -> None:
    _ = two
    with pytest.raises(ModelsError, match=sentence):
        rollback(sagemaker, endpoint=endpoint).check(clients["s3"], clients["cloudwatch"])


def test_an_alarm_that_fires_is_named_and_can_be_passed_over(
    sagemaker: Any, two: list[str], clients: dict[str, Any]
) -> None:
    _ = two
    cloudwatch = clients["cloudwatch"]
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        MetricName="Errors",
        Namespace="dogs",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Statistic="Sum",
    )
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")

    with pytest.raises(ModelsError, match=r"errors is in ALARM.*--unguarded"):
        rollback(sagemaker).check(clients["s3"], cloudwatch)
    rollback(sagemaker, guarded=False).check(clients["s3"], cloudwatch)
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="a test")
    rollback(sagemaker).check(clients["s3"], cloudwatch)


def test_a_rejected_version_and_a_deleted_artifact_are_refused(
    sagemaker: Any, two: list[str], clients: dict[str, Any]
) -> None:
    change = rollback(sagemaker)
    rejected = dataclasses.replace(change.version, approval="Rejected", reason="it bites")
    with pytest.raises(ModelsError, match=r"Version 1 is rejected \(it bites\), so it is not served"):
        dataclasses.replace(change, version=rejected).check(clients["s3"], clients["cloudwatch"])

    clients["s3"].delete_object(Bucket=BUCKET, Key=two[0].split("/", 3)[3])
    with pytest.raises(ModelsError, match="The artifact of version 1 was deleted: there is no s3://"):
        change.check(clients["s3"], clients["cloudwatch"])


@pytest.fixture
def kennel(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the command line with these clients: others would take seconds to make."""

    class Session:
        client = staticmethod(lambda name: clients[name])

    monkeypatch.setattr(ops.session, "session", lambda _: Session)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_the_json_of_models_has_every_metric(sagemaker: Any, two: list[str], kennel: Callable[..., Any]) -> None:
    _ = sagemaker
    run = kennel("models", "--json")

    found = json.loads(run.stdout)
    assert run.exit_code == 0
    assert found["endpoint"] == {"name": ENDPOINT, "status": "InService", "model_data": two[1], "version": 2}
    assert found["versions"][1]["properties"]["test:ece"] == "0.02"


def test_the_command_says_how_to_make_a_rollback_last(
    sagemaker: Any, two: list[str], kennel: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = sagemaker
    use_updates(monkeypatch)
    refused = kennel("rollback", "1", "--unguarded")
    assert isinstance(refused.exception, ModelsError)
    assert "There is no terminal" in str(refused.exception)

    run = kennel("rollback", "1", "--yes", "--unguarded")
    assert run.exit_code == 0, run.output
    assert "write in environments/development.toml" in run.stdout
    assert f'model_data = "{two[0]}"' in run.stdout

    again = kennel("rollback", "1", "--yes", "--json")
    assert json.loads(again.stdout)["changed"] is False
