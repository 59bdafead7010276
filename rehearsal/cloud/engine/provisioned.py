"""Provisioned concurrency, which the engine keeps as a record: here processes are kept warm for it.

A deployment that moves an alias to a new version waits for the new version's processes before the alias moves.
"""

import contextvars
import json
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from rehearsal.aws.runtime_api import FunctionError
from rehearsal.cloud.api import Json
from rehearsal.cloud.functions import Functions
from rehearsal.cloud.functions.deployed import DeployedFunction

ALIAS = "AWS::Lambda::Alias"


def keep_warm(functions: Functions) -> None:
    """Follow the engine's records. CloudFormation must run the type ALIAS in a worker thread."""
    settlement = _Settlement(functions)
    _follow_requests(settlement)
    _follow_templates(functions, settlement)


class _Settlement:
    """Keeps warm what the aliases and versions of a function say, and notes in their records when it is ready.

    One at a time for each function: an earlier one that ended later would keep warm what was said before.
    """

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._locks: dict[str, threading.Lock] = {}

    def soon(self, name: str) -> None:
        """In a thread: the engine's event loop asks for it."""
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self.now, name), daemon=True).start()

    def now(self, name: str) -> None:
        """And wait until the processes are ready."""
        with self._locks.setdefault(name, threading.Lock()):
            func = lambda_svc._functions.get(name)
            if func:
                self._settle(name, func)

    def _settle(self, name: str, func: Json) -> None:
        records = dict(func.get("provisioned_concurrency", {}))
        try:
            self._functions.keep_warm(name, _wanted(func))
        except FunctionError as error:
            for record in records.values():
                record.update(Status="FAILED", StatusReason=str(error), AvailableProvisionedConcurrentExecutions=0)
            return
        for record in records.values():
            requested = record["RequestedProvisionedConcurrentExecutions"]
            record.update(Status="READY", AvailableProvisionedConcurrentExecutions=requested)


def _follow_requests(settlement: _Settlement) -> None:
    """Those of Lambda's API."""
    put, remove, move = (
        lambda_svc._put_provisioned_concurrency,
        lambda_svc._delete_provisioned_concurrency,
        lambda_svc._update_alias,
    )

    def provision(func_name: str, qualifier: str, data: Json) -> Any:
        found = put(func_name, qualifier, data)
        if found[0] == 202:
            record = lambda_svc._functions[func_name]["provisioned_concurrency"][qualifier or "$LATEST"]
            record.update(Status="IN_PROGRESS", AvailableProvisionedConcurrentExecutions=0)
            answer = json.dumps(record).encode()
            settlement.soon(func_name)
            return found[0], found[1], answer
        return found

    def withdraw(func_name: str, qualifier: str) -> Any:
        found = remove(func_name, qualifier)
        settlement.soon(func_name)
        return found

    def moved(func_name: str, alias_name: str, data: Json) -> Any:
        found = move(func_name, alias_name, data)
        settlement.soon(func_name)
        return found

    lambda_svc._put_provisioned_concurrency = provision
    lambda_svc._delete_provisioned_concurrency = withdraw
    lambda_svc._update_alias = moved


def _follow_templates(functions: Functions, settlement: _Settlement) -> None:
    """Warm the version to which an alias will point, then change the alias, as CloudFormation waits for READY."""
    alias = provisioners._RESOURCE_HANDLERS[ALIAS]
    create, update, delete = alias["create"], alias["update"], alias["delete"]

    def warmed(properties: Json, change: Callable[[], Any]) -> Any:
        func, name, *_ = provisioners._lambda_function_for_cfn_ref(properties.get("FunctionName", ""))
        count = int((properties.get("ProvisionedConcurrencyConfig") or {}).get("ProvisionedConcurrentExecutions", 0))
        deployed = _deployed(func, str(properties.get("FunctionVersion"))) if func and count else None
        if deployed:
            try:
                functions.warm(deployed, count)
            except FunctionError as error:
                raise ValueError(f"Provisioned concurrency of {name} failed: {error}") from None
        found = change()
        settlement.now(name)
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
    if not record or not record.get("code_zip") or not functions_run(record["config"]):
        return None
    return DeployedFunction.of(record["config"], record["code_zip"])


def functions_run(config: Json) -> bool:
    """Whether `Functions` runs a function. The engine runs those on other runtimes, and those with layers."""
    return str(config.get("Runtime", "")).startswith("python") and not config.get("Layers")
