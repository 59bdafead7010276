"""Lambda's compute, in place of the engine's own.

The engine keeps functions, versions, aliases and policies, answers Lambda's API, retries asynchronous events and
refuses calls beyond the reserved concurrency. Every call of a function, from whatever service, passes one of its
methods, and that is the seam: Python functions run in `Functions`, those on other runtimes run as before. For both,
`Functions` writes the log as the role, and the metrics.
"""

import contextvars
import json
import os
import subprocess
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from rehearsal.aws.execution_environment import NO_AWS_CONFIGURATION
from rehearsal.aws.runtime_api import FunctionError
from rehearsal.cloud.api import Json
from rehearsal.cloud.functions import Functions
from rehearsal.cloud.functions.deployed import DeployedFunction

ALIAS, FUNCTION, VERSION = "AWS::Lambda::Alias", "AWS::Lambda::Function", "AWS::Lambda::Version"


KEPT_VARIABLES = ("LANG", "NODE_PATH", "PATH", "TMPDIR")
"""What a function on Node.js gets of the engine's own environment."""


def use_functions(functions: Functions) -> None:
    """Run the engine's functions by `functions`. CloudFormation must run the type ALIAS in a worker thread."""
    _run_calls(functions)
    _clean_environments()
    _end_with_their_functions(functions)
    _keep_warm(functions)
    _keep_properties()


def _run_calls(functions: Functions) -> None:
    run = lambda_svc._execute_function_dispatch

    def dispatch(func: Json, config: Json, event: Any, request_id: str, started: float) -> Json:
        code = func.get("code_zip")
        if not code:
            return dict(run(func, config, event, request_id, started))
        function = DeployedFunction.of(config, code)
        if not _is_ours(config):
            with functions.observed(function, request_id) as seen:
                found: Json = run(func, config, event, request_id, started)
                seen.failed, seen.log = bool(found.get("error")), str(found.get("log") or "")
            return found
        trace = lambda_svc._xray_trace_id_for_invocation(config) or ""
        payload = json.dumps(event, ensure_ascii=False).encode()
        outcome = functions.invoke(function, request_id, payload, trace)
        if outcome.error:
            return {"body": outcome.error, "error": True, "log": outcome.log}
        try:
            return {"body": json.loads(outcome.response), "log": outcome.log}
        except ValueError:
            return {"body": outcome.response.decode(errors="replace"), "raw_payload": True, "log": outcome.log}

    def metrics(name: str, *, duration_ms: float, throttle: bool, **_: bool) -> None:
        if throttle and not duration_ms:  # the engine calls this twice for one throttled call
            functions.throttled(name)

    def reserved(_: Json, config: Json) -> int | None:
        """The engine looks for it in the version's record, which has none."""
        found = (lambda_svc._functions.get(config["FunctionName"]) or {}).get("concurrency")
        return None if found is None else int(found)

    lambda_svc._reserved_concurrency = reserved
    lambda_svc._execute_function_dispatch = dispatch
    lambda_svc._emit_lambda_logs = lambda *_, **__: None
    lambda_svc._emit_lambda_metrics = metrics


def _is_ours(config: Json) -> bool:
    return str(config.get("Runtime", "")).startswith("python") and not config.get("Layers")


def _clean_environments() -> None:
    """The engine starts a function on Node.js with all of its own variables, and with the user's."""
    start = subprocess.Popen

    def clean(command: list[str], *, env: dict[str, str], **named: Any) -> Any:
        own = {name: value for name, value in env.items() if name in KEPT_VARIABLES or os.environ.get(name) != value}
        return start(command, env={**NO_AWS_CONFIGURATION, **own}, **named)

    lambda_runtime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": clean})


def _end_with_their_functions(functions: Functions) -> None:
    end = lambda_runtime.invalidate_worker

    def ended(
        func_name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
    ) -> None:
        functions.end(func_name, qualifier)
        end(func_name, qualifier=qualifier, account=account, region=region)

    lambda_svc.invalidate_worker = ended
    function, version = (provisioners._RESOURCE_HANDLERS[name] for name in (FUNCTION, VERSION))
    delete_function, delete_version = function["delete"], version["delete"]

    def no_function(physical_id: str, properties: Json) -> None:
        delete_function(physical_id, properties)
        ended(physical_id)

    def no_version(physical_id: str, properties: Json) -> None:
        delete_version(physical_id, properties)
        name, number = physical_id.split(":")[-2:]
        ended(name, number)

    provisioners._RESOURCE_HANDLERS[FUNCTION] = {**function, "delete": no_function}
    provisioners._RESOURCE_HANDLERS[VERSION] = {**version, "delete": no_version}


def _keep_warm(functions: Functions) -> None:
    put, remove, move = (
        lambda_svc._put_provisioned_concurrency,
        lambda_svc._delete_provisioned_concurrency,
        lambda_svc._update_alias,
    )

    def settle(name: str) -> None:
        """Keep warm what the function's aliases and versions say now, and note in the record when it is ready."""
        func = lambda_svc._functions.get(name)
        if not func:
            return
        records = dict(func.get("provisioned_concurrency", {}))
        try:
            functions.keep_warm(name, _wanted(func))
        except FunctionError as error:
            for record in records.values():
                record.update(Status="FAILED", StatusReason=str(error), AvailableProvisionedConcurrentExecutions=0)
            return
        for record in records.values():
            requested = record["RequestedProvisionedConcurrentExecutions"]
            record.update(Status="READY", AvailableProvisionedConcurrentExecutions=requested)

    def in_background(name: str) -> None:
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(settle, name), daemon=True).start()

    def provision(func_name: str, qualifier: str, data: Json) -> Any:
        found = put(func_name, qualifier, data)
        if found[0] == 202:
            record = lambda_svc._functions[func_name]["provisioned_concurrency"][qualifier or "$LATEST"]
            record.update(Status="IN_PROGRESS", AvailableProvisionedConcurrentExecutions=0)
            in_background(func_name)
            return found[0], found[1], json.dumps(record).encode()
        return found

    def withdraw(func_name: str, qualifier: str) -> Any:
        found = remove(func_name, qualifier)
        in_background(func_name)
        return found

    def moved(func_name: str, alias_name: str, data: Json) -> Any:
        found = move(func_name, alias_name, data)
        in_background(func_name)
        return found

    lambda_svc._put_provisioned_concurrency = provision
    lambda_svc._delete_provisioned_concurrency = withdraw
    lambda_svc._update_alias = moved

    alias = provisioners._RESOURCE_HANDLERS[ALIAS]
    create, update, delete = alias["create"], alias["update"], alias["delete"]

    def warmed(properties: Json, change: Callable[[], Any]) -> Any:
        """Warm the version that the alias will point to, then change it, as CloudFormation waits for READY."""
        func, name, *_ = provisioners._lambda_function_for_cfn_ref(properties.get("FunctionName", ""))
        count = int((properties.get("ProvisionedConcurrencyConfig") or {}).get("ProvisionedConcurrentExecutions", 0))
        deployed = _deployed(func, str(properties.get("FunctionVersion"))) if func and count else None
        if deployed:
            try:
                functions.warm(deployed, count)
            except FunctionError as error:
                raise ValueError(f"Provisioned concurrency of {name} failed: {error}") from None
        found = change()
        settle(name)
        return found

    provisioners._RESOURCE_HANDLERS[ALIAS] = {
        **alias,
        "create": lambda logical_id, properties, stack: warmed(
            properties, lambda: create(logical_id, properties, stack)
        ),
        "update": lambda physical_id, old, new, *rest, **named: warmed(
            new, lambda: update(physical_id, old, new, *rest, **named)
        ),
        "delete": lambda physical_id, properties: warmed(
            {"FunctionName": properties.get("FunctionName", "")}, lambda: delete(physical_id, properties)
        ),
    }


def _wanted(func: Json) -> dict[str, tuple[DeployedFunction, int]]:
    """By version: the version, and how many environments its aliases and itself ask for."""
    found: dict[str, tuple[DeployedFunction, int]] = {}
    for qualifier, record in func.get("provisioned_concurrency", {}).items():
        version = func.get("aliases", {}).get(qualifier, {}).get("FunctionVersion", qualifier)
        deployed = _deployed(func, version)
        if deployed:
            already = found[version][1] if version in found else 0
            found[version] = deployed, already + int(record["RequestedProvisionedConcurrentExecutions"])
    return found


def _deployed(func: Json, version: str) -> DeployedFunction | None:
    """A version that `Functions` runs."""
    record = func if version == "$LATEST" else func.get("versions", {}).get(version)
    if not record or not record.get("code_zip") or not _is_ours(record["config"]):
        return None
    return DeployedFunction.of(record["config"], record["code_zip"])


def _keep_properties() -> None:
    """The engine forgets these properties of a function in a template."""
    function = provisioners._RESOURCE_HANDLERS[FUNCTION]
    create, update = function["create"], function["update"]

    def kept(properties: Json, found: Any) -> Any:
        func = lambda_svc._functions.get(found[0])
        if func:
            func["concurrency"] = properties.get("ReservedConcurrentExecutions")
            func["config"]["DeadLetterConfig"] = properties.get("DeadLetterConfig") or {}
        return found

    provisioners._RESOURCE_HANDLERS[FUNCTION] = {
        **function,
        "create": lambda logical_id, properties, stack: kept(properties, create(logical_id, properties, stack)),
        "update": lambda physical_id, old, new, *rest, **named: kept(
            new, update(physical_id, old, new, *rest, **named)
        ),
    }
