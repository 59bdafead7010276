"""The steps of a smoke run."""

import base64
import contextlib
import itertools
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from environments import Environment
from ops.deploy.cdk import ROOT
from ops.smoke import artifact
from ops.smoke.cdk import Cdk
from ops.smoke.leftovers import look
from ops.smoke.report import AS_ROOT, CREATED, UPDATED, Report
from ops.smoke.stacks import Refused, Stacks

PHOTO = ROOT / "stacks" / "serving" / "probe" / "dog.jpg"
LAST_LINES = 5
"""Of the command line's output, where AWS refused something outside the stacks."""

NOT_RETAINED = "serving.rollout.retain_variant_properties=false"
WAYS_ROUND = {
    "RetainAllVariantProperties": NOT_RETAINED,
    "ExcludeRetainedVariantProperties": NOT_RETAINED,
    "AWS::Budgets::Budget": "monitoring.monthly_budget_usd=0",
}
"""From a text in what AWS refused to the setting with which the deployment is tried once more."""


class StepFailedError(Exception):
    """A step failed, and those after it make no sense. The message says why."""


class SmokeRun:
    """Deploys, predicts, updates, destroys. client: from a service's name to its boto3 client."""

    def __init__(
        self,
        *,
        environment: Environment,
        client: Callable[[str], Any],
        folder: Path,
        report: Report,
        say: Callable[[str], None],
    ) -> None:
        self._environment = environment
        self._client = client
        self._folder = folder
        self._report = report
        self._say = say
        self._cdk = Cdk(environment, folder)
        self._stacks = Stacks(client("cloudformation"), environment.prefix)
        self._settings: list[str] = []
        self._folders = (folder / f"cdk.out-{number}" for number in itertools.count(1))
        self.templates = folder
        """The folder of the last complete synthesis. An interrupted one would leave the destroy without templates."""

    # -- the steps

    def synth(self) -> None:
        """Write the templates. Raises StepFailedError."""
        folder = next(self._folders)
        log = self._cdk.synth(folder, self._settings)
        if log:
            raise StepFailedError(f"The templates could not be written. The end of {log}:\n{_end_of(log)}")
        self.templates = folder

    def deploy_and_update(self, model: bytes) -> None:
        """Everything but the destroy. What fails is in the report; the steps after it are left out."""
        try:
            self._step("deploy the bucket", lambda: self._deploy("deploy the bucket", ["Storage"]))
            self._step("deploy", lambda: self._deploy_model("deploy", "first", model))
            self._report.answers[CREATED] = self._retained()
            self._step("predict", self._predict)
            self._report.answers[AS_ROOT] = self._user_in_the_log()
            self._step("update", lambda: self._update(model))
            self._report.answers[UPDATED] = self._retained()
            self._step("predict again", self._predict)
        except StepFailedError:
            return

    def destroy(self) -> None:
        """Delete every stack, twice if the first time fails, and look what is left."""
        begun = datetime.now(UTC)
        self._say("destroy ...")
        with contextlib.suppress(ClientError, BotoCoreError):  # CDK may be able to delete the stacks all the same
            self._stacks.settle()
        log = self._cdk.destroy(self.templates) and self._cdk.destroy(self.templates)
        if log:
            self._note("destroy", begun, log)
        ended = f"failed, see {log}" if log else "done"
        self._report.steps.append(("destroy", ended))
        self._say(f"    {ended}")
        self._report.look = look(self._client, self._environment)

    # -- what they consist of

    def _step(self, name: str, do: Callable[[], None]) -> None:
        self._say(f"{name} ...")
        try:
            do()
        except Exception as error:
            expected = isinstance(error, (StepFailedError, ClientError, BotoCoreError, OSError, LookupError))
            reason = str(error) if expected else repr(error)
            self._report.steps.append((name, f"failed: {' '.join(reason.split())}"))
            self._say(f"    failed: {reason}")
            if not expected:
                raise
            raise StepFailedError(reason) from error
        except BaseException:
            self._report.steps.append((name, "interrupted"))
            raise
        self._report.steps.append((name, "done"))
        self._say("    done")

    def _deploy_model(self, step: str, name: str, model: bytes) -> None:
        bucket = self._stacks.output("storage", "BucketName")
        uri = artifact.upload(self._client("s3"), bucket, name, model)
        self._settings = [one for one in self._settings if not one.startswith("training.model_data=")]
        self._settings.append(f"training.model_data={uri}")
        self.synth()
        self._deploy(step, ["--all"])

    def _update(self, model: bytes) -> None:
        """With the retained properties, even if the creation was refused with them: AWS documents them for updates.

        Raises StepFailedError too if SageMaker has rolled the update back and reported success.
        """
        before = self._endpoint_config()
        self._settings = [one for one in self._settings if one != NOT_RETAINED]
        self._deploy_model("update", "second", model)
        if self._endpoint_config() == before:
            endpoint = self._client("sagemaker").describe_endpoint(EndpointName=self._environment.endpoint_name)
            reason = endpoint.get("FailureReason", "no reason")
            self._report.refused.append(Refused("update", f"the endpoint {self._environment.endpoint_name}", reason))
            raise StepFailedError(f"The endpoint still has the configuration {before}: SageMaker rolled it back.")

    def _endpoint_config(self) -> str:
        endpoint = self._client("sagemaker").describe_endpoint(EndpointName=self._environment.endpoint_name)
        name: str = endpoint["EndpointConfigName"]
        return name

    def _deploy(self, step: str, stacks: Sequence[str]) -> None:
        """Deploy, and once more for each way round something that AWS refused. Raises StepFailedError."""
        while True:
            begun = datetime.now(UTC)
            log = self._cdk.deploy(step.replace(" ", "-"), self.templates, stacks)
            if log is None:
                return
            refused = self._note(step, begun, log)
            setting = self._way_round(refused)
            if setting is None:
                raise StepFailedError(f"AWS refused it, see below and {log}.")
            self._say(f"    AWS refused something; trying again with {setting}")
            self._settings.append(setting)
            self.synth()

    def _note(self, step: str, begun: datetime, log: Path) -> list[Refused]:
        """What AWS refused since then, also into the report."""
        refused: list[Refused] = []
        with contextlib.suppress(ClientError, BotoCoreError):  # the command line's own words remain
            refused = self._stacks.refused(step, begun.replace(microsecond=0))
        if not refused:
            refused = [Refused(step, "the CDK command line", _end_of(log))]
        self._report.refused += refused
        return refused

    def _way_round(self, refused: Sequence[Refused]) -> str | None:
        for each in refused:
            for text, setting in WAYS_ROUND.items():
                if setting not in self._settings and text in f"{each.what} {each.reason}":
                    return setting
        return None

    def _retained(self) -> str:
        if NOT_RETAINED in self._settings:
            return "no, AWS refuses them (see above)"
        return "yes"

    def _predict(self) -> None:
        """Raises StepFailedError if the function does not answer a photo with predictions."""
        event = {"image": base64.b64encode(PHOTO.read_bytes()).decode()}
        arn = self._stacks.output("api", "FunctionArn")
        answer = self._client("lambda").invoke(FunctionName=arn, Payload=json.dumps(event).encode())
        body = answer["Payload"].read()
        try:
            response = json.loads(body)
            predictions = json.loads(response["body"])["predictions"]
            best = f"{predictions[0]['breed']}, {float(predictions[0]['probability']):.0%}"
            if answer.get("FunctionError") or response["statusCode"] != 200:
                raise ValueError
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self._report.refused.append(Refused("predict", f"the function {arn}", body.decode(errors="replace")[:500]))
            raise StepFailedError(f"The function answered {body[:500]!r}, which is not a prediction.") from error
        self._say(f"    {PHOTO.name}: {best}")

    def _user_in_the_log(self) -> str:
        """From the line with which the server says that it listens."""
        group = f"/aws/sagemaker/Endpoints/{self._environment.endpoint_name}"
        try:
            pages = self._client("logs").get_paginator("filter_log_events")
            found = list(pages.paginate(logGroupName=group, filterPattern='"listening"'))
        except (ClientError, BotoCoreError) as error:
            return f"it serves; the log {group} could not be read ({error})"
        for event in itertools.chain.from_iterable(page["events"] for page in found):
            try:
                user = json.loads(event["message"])["user"]
            except (ValueError, KeyError, TypeError):
                continue
            return f"yes, it serves as user {user}" if user else "it serves, but still as root"
        return f"it serves; the log {group} has no line that says as which user"


def _end_of(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return "\n".join(lines[-LAST_LINES:])
