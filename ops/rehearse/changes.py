"""The steps of `--full`: an update under load, a model that fails, a deploy without a change, and the destroy."""

import re
from typing import Any

from rich.markup import escape

from contract.text import printable
from ops.data.bucket import output_of
from ops.rehearse.answers import event_of
from ops.rehearse.broken_model import write_broken
from ops.rehearse.callers import Calls, callers
from ops.rehearse.command_line import CdkFailedError
from ops.rehearse.errors import RehearsalError
from ops.rehearse.inventory import BY_DESIGN, Inventory, inventory
from ops.rehearse.resources import resources
from ops.rehearse.stage import Stage
from ops.smoke.artifact import packed, upload
from ops.weights.bucket import weights_bucket
from stacks.settings.parse import load

LONGER_STARTUP_S = 10
"""The update: containers may take so many seconds longer to start. It replaces the endpoint's configuration."""
MOST_NAMED = 5
_FAILED = re.compile(r"UPDATE_FAILED .*?\|[^|]*\|[^|(]*\([^)]*\) (.*)")
"""A resource that failed, in the events that CDK prints: its state, type and path, and the reason."""


class Changes:
    """The steps of `--full`, in order. existing: what was in the account before the first deploy."""

    def __init__(self, stage: Stage, existing: Inventory) -> None:
        self._stage = stage
        self._existing = existing

    @property
    def _event(self) -> dict[str, Any]:
        return event_of(self._stage.data.used("test")[0].path)

    def rehearse(self) -> None:
        """Raises CdkFailedError and RehearsalError."""
        self._update()
        self._roll_back()
        self._deploy_unchanged()
        self._destroy()

    def _update(self) -> None:
        stage = self._stage
        before = self._configuration()
        seconds = load(stage.environment, stage.plan.overrides()).serving.startup_timeout_s + LONGER_STARTUP_S
        change = f"serving.startup_timeout_s={seconds}"
        with stage.steps.step(f"Update the endpoint while it is called: {change}") as report:
            stage.change = (change,)
            stage.synthesise(stage.assembly, "synth-update")
            with callers(stage.function, self._event) as calls:
                stage.deploy("deploy-update", ["--all"], report)
        if self._configuration() == before:
            raise RehearsalError(f"The endpoint still has the configuration {before} after an update of it.")
        if calls.failures:
            raise RehearsalError(f"{len(calls.failures)} of {calls.total} calls failed: {_first(calls.failures)}")
        stage.console.print(f"     {calls.total} calls meanwhile, each answered with 200")

    def _roll_back(self) -> None:
        """The model fails for every photo, so the alarm on server errors ends the rollout."""
        stage = self._stage
        before, assembly = self._configuration(), stage.folder("assembly-broken")
        with stage.steps.step("Deploy a model that answers 500: the alarm rolls the update back") as report:
            uri = self._upload_broken()
            stage.synthesise(assembly, "synth-broken", f"training.model_data={uri}")
            with callers(stage.function, self._event) as calls:
                try:
                    stage.deploy("deploy-broken", ["Serving", "--exclusively"], report, assembly=assembly)
                except CdkFailedError as error:
                    failure = error
                else:
                    raise RehearsalError("The deploy of a model that answers 500 succeeded. No alarm rolled it back.")
            after = stage.function.invoke(self._event)
        if not any(status.startswith("5") for status in calls.statuses):
            raise RehearsalError(
                f"The deploy failed, but no call got a server error: {dict(calls.statuses)}. {failure}"
            )
        if self._configuration() != before or after["statusCode"] != 200:
            raise RehearsalError(
                f"After the rollback the endpoint has the configuration {self._configuration()} instead of {before}, "
                f"and the function answers {after['statusCode']}."
            )
        stage.console.print(f"     {escape(printable(_reason(failure)))}")
        stage.console.print(f"     calls meanwhile: {_listed(calls)}; now the model of before answers again")

    def _deploy_unchanged(self) -> None:
        stage = self._stage
        before = self._jobs(), self._physical()
        with stage.steps.step("cdk deploy --all without a change: nothing trains, nothing is replaced") as report:
            stage.deploy("deploy-unchanged", ["--all"], report)
        after = self._jobs(), self._physical()
        if after != before:
            changed = sorted(str(each) for each in {*before[0], *before[1].items()} ^ {*after[0], *after[1].items()})
            raise RehearsalError(f"A deploy without a change changed {_first(changed)}")
        stage.console.print(f"     {len(after[1])} resources and {len(after[0])} training jobs, the same as before")

    def _destroy(self) -> None:
        stage = self._stage
        with stage.steps.step("cdk destroy --all: nothing is left"):
            self._allow_destroy()
            stage.cdk.destroy(stage.assembly)
        now = inventory(stage.client)
        left = now.things - self._existing.things
        by_design = {thing: reason for thing, reason in BY_DESIGN.items() if thing in left}
        if stage.environment.protection.keep_bucket:
            by_design |= {thing: "protection.keep_bucket" for thing in left if thing[0] in ("bucket", "KMS key")}
        for (kind, name), reason in by_design.items():
            stage.console.print(f"     left on purpose: {kind} {escape(printable(name))} ({reason})")
        if unexpected := sorted(left - set(by_design)):
            raise RehearsalError(
                f"cdk destroy left {len(unexpected)} resources: {_first([' '.join(thing) for thing in unexpected])}"
            )
        unlisted = f" (not looked for: {', '.join(now.unlisted)})" if now.unlisted else ""
        stage.console.print(f"     nothing else is left in the account{unlisted}")

    def _allow_destroy(self) -> None:
        """Take the termination protection away, as an operator does before a destroy."""
        if self._stage.environment.protection.termination:
            for stack in {stack for stack, _ in resources(self._stage.client, self._stage.environment)}:
                self._stage.client("cloudformation").update_termination_protection(
                    StackName=stack, EnableTerminationProtection=False
                )

    def _upload_broken(self) -> str:
        stage = self._stage
        bucket = weights_bucket(stage.environment.name)
        folder = write_broken(stage.model, stage.folder("broken-model"))
        return upload(stage.client("s3"), bucket, "broken", packed(folder))

    def _configuration(self) -> str:
        found = self._stage.client("sagemaker").describe_endpoint(EndpointName=self._endpoint())
        name: str = found["EndpointConfigName"]
        return name

    def _endpoint(self) -> str:
        return output_of("serving", "EndpointName", environment=self._stage.environment.name)

    def _jobs(self) -> set[str]:
        pages = self._stage.client("sagemaker").get_paginator("list_training_jobs").paginate()
        return {each["TrainingJobName"] for page in pages for each in page["TrainingJobSummaries"]}

    def _physical(self) -> dict[str, Any]:
        found = resources(self._stage.client, self._stage.environment)
        return {f"{stack}/{each['LogicalResourceId']}": each.get("PhysicalResourceId") for stack, each in found}


def _first(names: list[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more." if rest > 0 else ".")


def _listed(calls: Calls) -> str:
    return ", ".join(f"{count} with {status}" for status, count in sorted(calls.statuses.items()))


def _reason(failure: CdkFailedError) -> str:
    """The first reason that CloudFormation gave, as CDK printed it."""
    found = _FAILED.search(failure.printed)
    return found[1] if found else str(failure)
