"""Lambda's compute, in place of the engine's own.

The engine keeps functions, versions, aliases and policies, answers Lambda's API, retries asynchronous events and
refuses calls beyond the reserved concurrency. Every call of a function, from whatever service, passes one of its
methods, and that is the seam: Python functions run in `Functions`, those on other runtimes run as before. For both,
`Functions` writes the log as the role, and the metrics.
"""

import json
from contextvars import ContextVar
from typing import Any

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from rehearsal.aws.runtime_api import MAX_ASYNCHRONOUS_BYTES, MAX_REQUEST_BYTES, REQUEST_TOO_LARGE
from rehearsal.cloud.api import Json
from rehearsal.cloud.engine.clean_environments import DECLARED, clean_environments
from rehearsal.cloud.engine.provisioned import functions_run, keep_warm
from rehearsal.cloud.functions import Functions
from rehearsal.cloud.functions.deployed import DeployedFunction

FUNCTION, VERSION = "AWS::Lambda::Function", "AWS::Lambda::Version"
RUNTIMES = ("python", "nodejs", "provided")
"""What the names of the runtimes begin with that run without Docker."""


def use_functions(functions: Functions) -> None:
    """Run the engine's functions by `functions`. CloudFormation must run the type ALIAS in a worker thread."""
    _run_calls(functions)
    _take_events()
    clean_environments()
    _end_with_their_functions(functions)
    keep_warm(functions)
    _keep_properties()


def _run_calls(functions: Functions) -> None:
    run = lambda_svc._execute_function_dispatch

    def dispatch(func: Json, config: Json, event: Any, request_id: str, started: float) -> Json:
        code: bytes = func.get("code_zip") or b""
        if reason := _not_run(config, code):
            message = f"{reason} is not rehearsed (docs/rehearsal.md)."
            return {"body": {"errorType": "NotImplemented", "errorMessage": message}, "error": True}
        function = DeployedFunction.of(config, code)
        if not functions_run(config):
            DECLARED.set(function.environment.keys())
            with functions.observed(function, request_id) as seen:
                found: Json = run(func, config, event, request_id, started)
                seen.failed, seen.log = bool(found.get("error")), str(found.get("log") or "")
            return found
        trace = lambda_svc._xray_trace_id_for_invocation(config) or ""
        payload = _as_sent(event)
        outcome = functions.invoke(function, request_id, payload, trace, lambda: _as_the_alias_is_now(function))
        if (executed := _EXECUTED.get()) is not None:
            executed.append(outcome.call.function.version)
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


def _not_run(config: Json, code: bytes) -> str:
    """Which kind of function this is, if none of the kinds that are run. The engine would answer it with status 200."""
    runtime = str(config.get("Runtime", ""))
    if config.get("PackageType") == "Image":
        return "A function from a container image"
    if not code:
        return "A function without an archive"
    return "" if runtime.startswith(RUNTIMES) else f"A function on {runtime}"


def _as_the_alias_is_now(function: DeployedFunction) -> DeployedFunction | None:
    """The version to which the alias points by which it was invoked; None if it was invoked by no alias."""
    func = lambda_svc._functions.get(function.name) or {}
    if function.qualifier not in func.get("aliases", {}):
        return None
    record, config = lambda_svc._effective_func_record_for_qualifier(func, function.qualifier)
    if not record or not config or not functions_run(config):
        return None
    return DeployedFunction.of({**config, "FunctionArn": function.arn}, record.get("code_zip") or b"")


_EXECUTED: ContextVar[list[str] | None] = ContextVar("executed", default=None)
"""The versions that the calls within an Invoke have run: a list, since a call runs in another thread."""
_SENT: ContextVar[bytes] = ContextVar("sent", default=b"")
_EVENT: ContextVar[object] = ContextVar("event", default=None)


def _as_sent(event: object) -> bytes:
    """The event's JSON. That of Invoke is passed on as it came, since a photo takes long to write again."""
    if event is not None and event is _EVENT.get():
        return _SENT.get() or b"{}"  # Invoke without a payload is an empty event
    return json.dumps(event, ensure_ascii=False).encode()


def _take_events() -> None:
    """Refuse an event beyond Lambda's limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
    handle, invoke = app.SERVICE_HANDLERS["lambda"], lambda_svc._invoke

    async def limited(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        kind = headers.get("x-amz-invocation-type", "RequestResponse")
        limit = MAX_ASYNCHRONOUS_BYTES if kind == "Event" else MAX_REQUEST_BYTES
        if path.endswith("/invocations") and len(body) > limit:
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            refused = {"Content-Type": "application/json", "x-amzn-ErrorType": REQUEST_TOO_LARGE}
            return 413, refused, json.dumps({"Type": "User", "message": message}).encode()
        _SENT.set(body)
        return await handle(method, path, headers, body, query)

    async def noted(name: str, event: Any, *rest: Any, **named: Any) -> Any:
        _EVENT.set(event)
        executed: list[str] = []
        _EXECUTED.set(executed)
        status, headers, answer = await invoke(name, event, *rest, **named)
        if executed:  # the alias may have moved since the engine looked it up
            headers["X-Amz-Executed-Version"] = executed[-1]
        return status, headers, answer

    app.SERVICE_HANDLERS["lambda"] = limited
    lambda_svc._invoke = noted


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
