"""Builds that CodeBuild has started: given to a program that runs them, and ended as it ends."""

import contextvars
import json
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from ministack.services import codebuild

from contract.text import printable
from rehearsal.cloud.api import Build, Json


def run_builds(run: Callable[[Build], None], threads: Executor) -> None:
    """Call `run` in a thread for each build. It raises an error to fail."""
    handle = codebuild.handle_request

    async def started(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        status, found, content = await handle(method, path, headers, body, query)
        if status != 200 or not headers.get("x-amz-target", "").endswith(".StartBuild"):
            return status, found, content
        record = codebuild._builds[json.loads(content)["build"]["id"]]
        record.update(buildStatus="IN_PROGRESS", currentPhase="BUILD")
        del record["endTime"]
        context = contextvars.copy_context()
        build = _build(record, codebuild._projects[record["projectName"]], json.loads(body))
        answer = json.dumps({"build": record}).encode()  # before the build can end
        threads.submit(context.run, _finish, run, build, record)
        return status, found, answer

    codebuild.handle_request = started


def _build(record: Json, project: Json, request: Json) -> Build:
    declared = project["environment"].get("environmentVariables", []) + request.get("environmentVariablesOverride", [])
    return Build(
        id=record["id"],
        project_arn=project["arn"],
        role_arn=project["serviceRole"],
        buildspec=request.get("buildspecOverride") or project["source"].get("buildspec", ""),
        variables={each["name"]: each["value"] for each in declared},
        log_group=record["logs"]["groupName"],
        log_stream=record["logs"]["streamName"],
    )


def _finish(run: Callable[[Build], None], build: Build, record: Json) -> None:
    try:
        run(build)
        status = "SUCCEEDED"
    except Exception as error:  # whatever it is, the build has ended
        status = "FAILED"
        print(f"codebuild: {build.id} failed: {printable(error)}", flush=True)
    record.update(buildStatus=status, currentPhase="COMPLETED", endTime=int(time.time()))
