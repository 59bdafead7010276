"""Functions, their aliases and permissions, beside their templates."""

from collections.abc import Iterator
from typing import Any

from ops.operate.changed.declared import Change, Declared, answered, command, shown

_OPTIONS = {
    "Timeout": ("timeout", "--timeout", 3),
    "MemorySize": ("memory", "--memory-size", 128),
    "Handler": ("handler", "--handler", ""),
    "Runtime": ("runtime", "--runtime", ""),
}
"""From a property to its name in a sentence, the option of the AWS CLI, and Lambda's default."""


def function(declared: Declared) -> Iterator[Change]:
    """Configuration, role, concurrency, and whether Lambda can start it."""
    name, client = declared.physical, declared.client("lambda")
    live = answered(lambda: client.get_function_configuration(FunctionName=name))
    if live is None:
        yield declared.deleted()
        return
    yield from _concurrency(declared, client)
    callers_use_it = not _has_version(declared)
    update = ("aws", "lambda", "update-function-configuration", "--function-name", name)
    for key, (what, option, default) in _OPTIONS.items():
        wanted = declared.get(key, default=default)
        put_back = command(*update, option, declared.text(wanted))
        yield from declared.compared(what, live.get(key, default), wanted, put_back, breaks=callers_use_it)
    variables = declared.get("Environment", "Variables", default={})
    whole = ",".join(f"{key}={value}" for key, value in declared.resolved(variables).items())
    yield from declared.compared(
        "environment",
        live.get("Environment", {}).get("Variables", {}),
        variables,
        command(*update, "--environment", f"Variables={{{whole}}}"),
        breaks=callers_use_it,
    )
    yield from declared.compared(
        "role", live.get("Role", ""), declared.get("Role", default=""), command(*update, "--role", _role(declared))
    )
    if group := declared.name("LoggingConfig", "LogGroup"):
        now = live.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
        put_back = command(*update, "--logging-config", f"LogFormat=Text,LogGroup={group}")
        yield from declared.compared("log group", now, group, put_back, breaks=False)
    # After weeks without a call Lambda makes a function Inactive, and its next call makes it Active again.
    if live.get("State") == "Failed":
        how = f"Lambda cannot start it ({live.get('StateReason') or live['State']})"
        yield declared.changed(how, "restore what the reason names")


def _concurrency(declared: Declared, client: Any) -> Iterator[Change]:
    name = declared.physical
    found = answered(lambda: client.get_function_concurrency(FunctionName=name)) or {}
    live, wanted = found.get("ReservedConcurrentExecutions"), declared.get("ReservedConcurrentExecutions")
    if live == wanted or (live is None and wanted is None):
        return
    put_back = (
        command("aws", "lambda", "delete-function-concurrency", "--function-name", name)
        if wanted is None
        else command(
            *("aws", "lambda", "put-function-concurrency", "--function-name", name),
            *("--reserved-concurrent-executions", wanted),
        )
    )
    effect = ", so Lambda throttles every call" if live == 0 else ""
    how = f"its reserved concurrency is {shown(live)}{effect}; the template has {shown(wanted, 'none')}"
    yield declared.changed(how, put_back, "throttled")


def _has_version(declared: Declared) -> bool:
    """Whether callers get a published version, which is as it was deployed whatever the function was changed to."""
    return any(
        each["Type"] == "AWS::Lambda::Version" and each["Properties"]["FunctionName"] == {"Ref": declared.id}
        for each in declared.template["Resources"].values()
    )


def _role(declared: Declared) -> str:
    match declared.get("Role"):
        case {"Fn::GetAtt": [str(role), "Arn"]}:
            return declared.references.arns.get(role, "ROLE_ARN")
    return declared.text(declared.get("Role", default=""))


def alias(declared: Declared) -> Iterator[Change]:
    """The version that callers get, and its provisioned concurrency."""
    name, client = declared.text(declared.get("Name")), declared.client("lambda")
    of = declared.text(declared.get("FunctionName"))
    live = answered(lambda: client.get_alias(FunctionName=of, Name=name))
    if live is None:
        yield declared.deleted()
        return
    version = _version(declared)
    update = ("aws", "lambda", "update-alias", "--function-name", of, "--name", name)
    if version:
        put_back = command(*update, "--function-version", version)
        yield from declared.compared("version", live["FunctionVersion"], version, put_back)
    weights = live.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    if weights and not declared.get("RoutingConfig"):
        how = f"it sends a part of the calls to other versions ({shown(weights)})"
        yield declared.changed(how, command(*update, "--routing-config", "AdditionalVersionWeights={}"))
    yield from _provisioned(declared, client, of, name)


def _version(declared: Declared) -> str:
    match declared.get("FunctionVersion"):
        case {"Fn::GetAtt": [str(id), "Version"]}:
            return declared.references.physical.get(id, "").rpartition(":")[2]
    return ""


def _provisioned(declared: Declared, client: Any, of: str, name: str) -> Iterator[Change]:
    wanted = int(declared.get("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions", default=0))
    call = {"FunctionName": of, "Qualifier": name}
    found = answered(lambda: client.get_provisioned_concurrency_config(**call)) or {}
    live = int(found.get("RequestedProvisionedConcurrentExecutions", 0))
    chosen = ("--function-name", of, "--qualifier", name)
    put_back = (
        command(
            *("aws", "lambda", "put-provisioned-concurrency-config", *chosen),
            *("--provisioned-concurrent-executions", wanted),
        )
        if wanted
        else command("aws", "lambda", "delete-provisioned-concurrency-config", *chosen)
    )
    yield from declared.compared("provisioned concurrency", live, wanted, put_back, breaks=False)
    if found.get("Status") == "FAILED":
        how = f"Lambda cannot provision its concurrency ({found.get('StatusReason', 'without a reason')})"
        yield declared.changed(how, put_back)


def permission(declared: Declared) -> Iterator[Change]:
    """Whether the service of the template may still invoke the function."""
    of = declared.text(declared.get("FunctionName"))
    found = answered(lambda: declared.client("lambda").get_policy(FunctionName=of))
    if found and f'"{declared.physical}"' in found["Policy"]:
        return
    source = declared.get("SourceArn")
    put_back = command(
        *("aws", "lambda", "add-permission", "--function-name", of, "--statement-id", declared.physical),
        *("--action", declared.text(declared.get("Action")), "--principal", declared.text(declared.get("Principal"))),
        *(("--source-arn", declared.text(source)) if source else ()),
    )
    yield declared.deleted(put_back)
