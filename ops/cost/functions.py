"""Lambda functions, what starts them, and their lines and traces."""

from collections.abc import Iterator, Mapping
from typing import Any

from ops.cost.assumptions import Assumptions
from ops.cost.charge import HOURS_A_MONTH, SECONDS_A_MONTH, Charge, Usage, standing
from ops.cost.endpoint import calls_a_month, canary_calls, predictions, volume_gb
from ops.cost.templates import Resource, Templates

FUNCTION = "AWS::Lambda::Function"
DRIFT_VOLUME_GB = 10
"""stacks/serving/drift_job/start.py"""


def function(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    calls, seconds = _calls(resource, app, given)
    gb = resource.number("MemorySize", 128) / 1024
    architecture = resource.properties.get("Architectures", ["x86_64"])[0]
    provisioned = any(_provisioned(alias) for alias in _aliases(resource, app))
    name = resource.properties.get("Description")
    what = name if isinstance(name, str) else resource.id
    yield Charge(what=f"calls: {what}", price="lambda.requests", usage=calls * 1e-6)
    duration = "lambda.provisioned-duration" if provisioned else "lambda.duration"
    yield Charge(what=f"duration: {what}", price=f"{duration}.{architecture}", usage=calls * (seconds * gb))
    if resource.properties.get("TracingConfig", {}).get("Mode") == "Active":
        yield Charge(what=f"traces: {what}", price="xray.traces", usage=_traces(calls))
    yield from _started_job(resource, calls, given)


def _started_job(resource: Resource, calls: Usage, given: Assumptions) -> Iterator[Charge]:
    """The job that a call of this function starts, if its environment names an instance type: the drift check.

    The canary's calls are captured, too, so there is one each day.
    """
    variables: Mapping[str, Any] = resource.properties.get("Environment", {}).get("Variables", {})
    kind = variables.get("INSTANCE_TYPE")
    if not kind:
        return
    hours = calls * (given.drift_min / 60)
    yield Charge(what=f"drift check, 1 x {kind}", price=f"sagemaker.instance.{kind}", usage=hours)
    gb = volume_gb(kind, DRIFT_VOLUME_GB)
    if gb:
        usage = hours * (gb / HOURS_A_MONTH)
        yield Charge(what=f"drift check, volume of {gb:g} GiB", price="sagemaker.storage", usage=usage)


def alias(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    del given
    count = _provisioned(resource)
    for version in app.referred(resource, "AWS::Lambda::Version"):
        for owner in app.referred(version, FUNCTION):
            if count:
                gb = owner.number("MemorySize", 128) / 1024
                architecture = owner.properties.get("Architectures", ["x86_64"])[0]
                yield Charge(
                    what=f"provisioned concurrency of {count:g}",
                    price=f"lambda.provisioned.{architecture}",
                    usage=standing(count * gb * SECONDS_A_MONTH),
                )


def http_api(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    del resource
    yield Charge(what="HTTP API", price="http-api.requests", usage=predictions(app, given) * 1e-6)


def log_group(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """Lines are billed when they arrive, and then for as long as they are kept."""
    gb = _log_gb(resource, app, given)
    months = resource.number("RetentionInDays") / 30
    name = resource.properties.get("LogGroupName")
    what = name if isinstance(name, str) else resource.id
    yield Charge(what=f"log: {what}", price="logs.ingested", usage=gb)
    kept = Usage(idle=gb.idle * months, expected=gb.expected * months, worst=gb.worst * months)
    yield Charge(what=f"log, kept: {what}", price="logs.stored", usage=kept)


def _log_gb(resource: Resource, app: Templates, given: Assumptions) -> Usage:
    kb = 1e-6
    name = resource.properties.get("LogGroupName")
    writers = app.referring(resource, FUNCTION)
    if isinstance(name, str) and name.startswith("/aws/sagemaker/Endpoints/"):
        return (predictions(app, given) + standing(canary_calls(app))) * (given.log_kb * kb)
    if any(_aliases(writer, app) for writer in writers) or app.referring(resource, "AWS::ApiGatewayV2::Stage"):
        return predictions(app, given) * (given.log_kb * kb)
    if schedules := [each for writer in writers for each in app.referring(writer, "AWS::Scheduler::Schedule")]:
        return standing(sum(map(calls_a_month, schedules)) * given.log_kb * kb)
    gb = given.deploy_log_mb / 1000
    return Usage(expected=given.deploys * gb, worst=given.worst_deploys * gb)


def _calls(resource: Resource, app: Templates, given: Assumptions) -> tuple[Usage, float]:
    """Calls of a function in each case, and the billed seconds of one."""
    if _aliases(resource, app):
        return predictions(app, given), given.function_s
    if schedules := app.referring(resource, "AWS::Scheduler::Schedule"):
        return standing(sum(calls_a_month(schedule) for schedule in schedules)), given.function_s
    calls = given.deploy_calls
    return Usage(expected=given.deploys * calls, worst=given.worst_deploys * calls), given.deploy_function_s / calls


def _aliases(resource: Resource, app: Templates) -> list[Resource]:
    """The aliases through which callers reach a function; only theirs has any."""
    versions = app.referring(resource, "AWS::Lambda::Version")
    return [alias for version in versions for alias in app.referring(version, "AWS::Lambda::Alias")]


def _provisioned(resource: Resource) -> float:
    config = resource.properties.get("ProvisionedConcurrencyConfig", {})
    return float(config.get("ProvisionedConcurrentExecutions", 0))


def _traces(calls: Usage) -> Usage:
    """Of these calls X-Ray records, by its default rule, the first in each second and 5 % of the others.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
    """

    def recorded(count: float) -> float:
        return (min(count, SECONDS_A_MONTH) + 0.05 * max(0, count - SECONDS_A_MONTH)) / 1e6

    return Usage(
        idle=recorded(calls.idle),
        expected=recorded(calls.expected),
        worst=recorded(calls.worst),
        predictions=recorded(calls.predictions),
    )
