"""Two environments, or two projects, in one account and region: no name, right or event of one reaches the other."""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

import environments
from app import build
from environments import Environment, EnvironmentRefusedError
from environments.environment import STACKS
from environments.tags import MOST
from stacks.settings import SettingsError, TrainingSettings
from stacks.settings.parse import load
from stacks.training.handler.request import JobRequest
from stacks.training.registries import REGISTRIES
from tests.infra.conftest import FLAGS, Assembly, Synthesise
from tests.infra.events import properties
from tests.infra.iam import rights

WITH_HTTP = ("api.http", "true")
"""The HTTP API has a name and a log group of its own."""

DEPLOYMENTS = {
    environment.job_prefix: environment
    for environment in (
        *(environments.load(name) for name in environments.names()),
        Environment(name="prod"),  # starts like production
        Environment(name="development", project="kennels"),  # starts like kennel
        Environment(name="development", project="shelter"),
        Environment(name="kennel", project="shelter"),
    )
}
PAIRS = list(itertools.permutations(DEPLOYMENTS, 2))

NAMING = {
    # each property that gives a resource a name within the account and region (or within the account)
    "AWS::ApplicationAutoScaling::ScalableTarget": "ResourceId",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "PolicyName",
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SageMaker::Endpoint": "EndpointName",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupName",
    "Custom::TrainingJob": "NamePrefix",
}
NOT_A_NAME = {
    # properties that look like names: of something else, or within the resource's own parent
    "AWS::ApiGatewayV2::Stage": {"StageName"},
    "AWS::IAM::Policy": {"PolicyName"},
    "AWS::Lambda::Alias": {"FunctionName", "Name"},
}


@pytest.fixture(params=DEPLOYMENTS)
def deployment(request: pytest.FixtureRequest, synthesise: Synthesise) -> Assembly:
    return synthesise(WITH_HTTP, environment=DEPLOYMENTS[request.param])


def assembly_of(name: str, synthesise: Synthesise) -> Assembly:
    return synthesise(WITH_HTTP, environment=DEPLOYMENTS[name])


def stack_names(assembly: Assembly) -> set[str]:
    artifacts = json.loads((assembly.folder / "manifest.json").read_text())["artifacts"]
    return {artifacts[name]["properties"]["stackName"] for name in assembly.names}


def physical_names(assembly: Assembly) -> set[tuple[str, str]]:
    """Type and name, for the stacks and for each resource that is named in its template."""
    found = {("stack", name) for name in stack_names(assembly)}
    for _, _, resource in assembly.resources("*"):
        name = resource.get("Properties", {}).get(NAMING.get(resource["Type"], ""))
        if name is not None:
            found.add((resource["Type"], text(name)))
    return found


def schema_of(kind: str) -> dict[str, Any]:
    """CloudFormation's schema of a resource type."""
    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return found


def text(value: Any) -> str:
    """A text with references in it, each in angle brackets."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, [*parts]]}:
            return str(separator).join(text(part) for part in parts)
    return f"<{json.dumps(value)}>"


def names_of_jobs(environment: Environment) -> list[str]:
    """As stacks/training/handler/request.py makes them: the first, on a fallback type, and a later attempt."""
    first = f"{environment.job_prefix}-{'0' * 20}"
    return [first, f"{first}-on-g5-xlarge", f"{first}-2"]


def wildcards(assembly: Assembly, resource: str) -> set[str]:
    """The part after `resource/` of each ARN in a policy that ends with a wildcard."""
    found = set()
    for right in rights(assembly):
        for arn in right.resources:
            _, slash, rest = text(arn).rpartition(f":{resource}/")
            if slash and "*" in rest:
                found.add(rest)
    return found


def event_prefixes(assembly: Assembly, field: str) -> set[str]:
    return {
        pattern["prefix"]
        for _, _, rule in assembly.resources("AWS::Events::Rule")
        for pattern in rule["Properties"]["EventPattern"]["detail"].get(field, [])
        if isinstance(pattern, dict)
    }


def test_every_property_that_names_a_resource_is_compared_here(deployment: Assembly) -> None:
    for _, logical_id, resource in deployment.resources("*"):
        kind, properties = resource["Type"], resource.get("Properties", {})
        last = kind.rpartition("::")[2]
        for key in {"Name", f"{last}Name", "LogGroupName", "PolicyName"} & properties.keys():
            written = isinstance(properties[key], str) or "Fn::Join" in properties[key]  # and no reference
            if written and key not in NOT_A_NAME.get(kind, set()):
                assert NAMING.get(kind) == key, (logical_id, key)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_physical_name_is_shared(one: str, other: str, synthesise: Synthesise) -> None:
    names = physical_names(assembly_of(one, synthesise))
    assert {kind for kind, _ in names} == {"stack", *NAMING}
    assert not names & physical_names(assembly_of(other, synthesise))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_permission_on_jobs_includes_those_of_another_deployment(
    one: str, other: str, synthesise: Synthesise
) -> None:
    reach = wildcards(assembly_of(one, synthesise), "training-job")
    assert reach
    for pattern in reach:
        expression = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        assert all(expression.fullmatch(job) for job in names_of_jobs(DEPLOYMENTS[one]))
        assert not any(expression.fullmatch(job) for job in names_of_jobs(DEPLOYMENTS[other]))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_alert_comes_from_another_deployment(one: str, other: str, synthesise: Synthesise) -> None:
    """CloudFormation names an alarm after its stack: <stack>-<logical id>-<random>."""
    assembly = assembly_of(one, synthesise)
    alarms, jobs = event_prefixes(assembly, "alarmName"), event_prefixes(assembly, "TrainingJobName")
    own = {f"{stack}-AlarmsSlowModel-A1B2" for stack in stack_names(assembly)}
    foreign = {f"{stack}-AlarmsSlowModel-A1B2" for stack in stack_names(assembly_of(other, synthesise))}
    assert len(alarms) == 4
    assert len(jobs) == 1
    assert sum(alarm.startswith(tuple(alarms)) for alarm in own) == 4
    assert not any(alarm.startswith(tuple(alarms)) for alarm in foreign)
    assert all(job.startswith(tuple(jobs)) for job in names_of_jobs(DEPLOYMENTS[one]))
    assert not any(job.startswith(tuple(jobs)) for job in names_of_jobs(DEPLOYMENTS[other]))


def accepted() -> Iterator[Environment]:
    """Deployments with names that resemble each other, as far as the environment's own rules accept them."""
    names = ("development", "dev", "production", "prod", "kennel", "qa", *STACKS, "classifier")
    for project, name in itertools.product(("kennel", "kennels", "qa", "serving", "api"), names):
        with suppress(EnvironmentRefusedError):
            yield Environment(name=name, project=project)


def test_no_name_of_one_deployment_begins_like_those_of_another() -> None:
    for one, other in itertools.permutations(accepted(), 2):
        stacks, jobs = [f"{other.stack(kind)}-x" for kind in STACKS], f"{other.job_prefix}-x"
        assert not any(stack.startswith(f"{one.stack(kind)}-") for stack in stacks for kind in STACKS), (one, other)
        assert not jobs.startswith(f"{one.job_prefix}-"), (one, other)
        assert one.endpoint_name != other.endpoint_name
        assert one.function_name != other.function_name
        dashboards = {f"{other.prefix}-{region}" for region in REGISTRIES}
        assert not dashboards & {f"{one.prefix}-{region}" for region in REGISTRIES}


def test_the_default_environment_has_the_names_of_the_design(development: Assembly) -> None:
    assert stack_names(development) == {f"kennel-{stack}" for stack in STACKS}
    endpoint = development.only("AWS::SageMaker::Endpoint")["EndpointName"]
    assert endpoint == "pytorch-dog-classifier-multi-instance"


def test_another_environment_has_other_names(production: Assembly) -> None:
    assert stack_names(production) == {f"kennel-production-{stack}" for stack in STACKS}
    assert production.only("AWS::SageMaker::Endpoint")["EndpointName"] == "kennel-production-classifier"
    assert production.only("Custom::TrainingJob")["NamePrefix"] == "kennel-production"


@pytest.mark.parametrize(
    "environment",
    [Environment(name="development", project="a" * 9), Environment(name="a" * 10, project="b" * 10)],
    ids=str,
)
def test_the_longest_names_fit_sagemakers_limit_of_63_characters(environment: Environment) -> None:
    longest = max((f"ml.{'x' * length}.32xlarge" for length in range(1, 60)), key=lambda kind: len(kind) * takes(kind))
    request = JobRequest.of(
        properties(NamePrefix=environment.job_prefix, FallbackInstanceTypes=f"ml.trn1n.32xlarge,{longest}")
    )
    assert takes("ml.trn1n.32xlarge")  # the longest that AWS has
    for job in request.job_names(f"{environment.job_prefix}-{'0' * 20}-99"):
        assert len(job) <= 63
    assert len(environment.endpoint_name) <= 63


def takes(fallback: str) -> bool:
    """Whether the settings accept an instance type to fall back to."""
    try:
        return bool(TrainingSettings(fallback_instance_types=(fallback,)))
    except SettingsError:
        return False


def test_the_endpoint_of_the_design_is_refused_in_another_environment() -> None:
    with pytest.raises(SettingsError, match=r"serving\.endpoint_name is 'pytorch-.*development"):
        load(Environment(name="qa"), {"serving.endpoint_name": "pytorch-dog-classifier-multi-instance"})


def test_an_endpoint_of_another_environments_file_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"serving\.endpoint_name is 'kennel-production-classifier'.*production"):
        load(Environment(name="qa"), {"serving.endpoint_name": "kennel-production-classifier"})


TAGS = {"project": "kennel", "team": "dogs"}
ONLY_BY_THE_STACK = "CustomS3AutoDelete"
"""CDK gives its own function and role no tags; the stack's tags reach them."""


@pytest.fixture
def tagged(synthesise: Synthesise) -> Assembly:
    return synthesise(WITH_HTTP, environment=Environment(name="qa", tags={"team": "dogs"}))


def test_the_tags_of_an_environment_are_on_each_stack(tagged: Assembly) -> None:
    """CloudFormation puts those also on the resources that have no tags in the template."""
    for stack in tagged.names:
        assert deployed_stack(tagged.folder, stack)["tags"] == TAGS, stack


def test_the_tags_of_an_environment_are_on_each_resource_that_can_have_tags(tagged: Assembly) -> None:
    seen = set()
    for stack, logical_id, resource in tagged.resources("*"):
        if resource["Type"].startswith("Custom::") or logical_id.startswith(ONLY_BY_THE_STACK):
            continue
        # a launch template has no such property, and any change of it would replace the host
        tagging = schema_of(resource["Type"]).get("tagging", {})
        if tagging.get("taggable"):
            found = resource["Properties"][tagging.get("tagProperty", "/properties/Tags").rpartition("/")[2]]
            tags = found if isinstance(found, dict) else {tag["Key"]: tag["Value"] for tag in found}
            assert tags.items() >= TAGS.items(), (stack, logical_id)
            seen.add(resource["Type"])
    assert len(seen) > 20


def test_the_hosts_volume_gets_the_hosts_tags(tagged: Assembly) -> None:
    assert tagged.only("AWS::EC2::Instance")["PropagateTagsToVolumeOnCreation"] is True


def test_the_tags_of_an_environment_are_on_its_jobs(tagged: Assembly) -> None:
    assert tagged.only("Custom::TrainingJob")["Tags"] == TAGS
    job = JobRequest.of(properties(Tags=TAGS)).arguments("kennel-qa-0", "ml.g4dn.xlarge")
    assert {tag["Key"]: tag["Value"] for tag in job["Tags"]} == TAGS


def test_the_most_tags_that_an_environment_may_have_are_50_on_a_resource(synthesise: Synthesise) -> None:
    """50 is AWS's limit; some resources have tags of CDK besides."""
    tags = {f"tag-{number}": "x" for number in range(MOST)}
    counts = [
        len(resource["Properties"]["Tags"])
        for _, _, resource in synthesise(WITH_HTTP, environment=Environment(name="qa", tags=tags)).resources("*")
        if "Tags" in resource.get("Properties", {})
    ]
    assert max(counts) == 50


def deployed_stack(folder: Path, artifact: str) -> dict[str, Any]:
    """What a stack's entry in the assembly's manifest tells CloudFormation: name, tags and protection."""
    properties = json.loads((folder / "manifest.json").read_text())["artifacts"][artifact]["properties"]
    return {key: properties.get(key) for key in ("stackName", "tags", "terminationProtection")}


def test_one_app_can_contain_two_environments(tmp_path: Path, development: Assembly, production: Assembly) -> None:
    """Each below a stage of its own, with the templates, tags and protection that it has alone."""
    app = cdk.App(context=FLAGS, outdir=str(tmp_path))
    for name in ("development", "production"):
        environment = environments.load(name)
        build(cdk.Stage(app, name), environment, load(environment, {}))
    app.synth()
    for name, alone in (("development", development), ("production", production)):
        folder = tmp_path / f"assembly-{name}"
        for stack in alone.names:
            (template,) = folder.glob(f"{name}{stack}*.template.json")
            # CDK writes the construct's path, here with the stage, into some names and descriptions.
            together = json.loads(template.read_text().replace(f"{name}/{stack}/", f"{stack}/"))
            assert together == alone.raw(stack), (name, stack)
            artifact = template.name.removesuffix(".template.json")
            assert deployed_stack(folder, artifact) == deployed_stack(alone.folder, stack), (name, stack)
