"""The check after a deploy, as a custom resource: the deploy fails where the endpoint is not what was deployed.

CloudFormation is content with an endpoint that is InService. SageMaker may have rolled the update back to get there.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .prediction import Json, ProbeError, ask, runtime

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

T = TypeVar("T")

UNSETTLED = ("Creating", "Updating", "SystemUpdating", "RollingBack")
"""Autoscaling, too, sets an endpoint to Updating for some minutes."""
LOOK_EVERY_S = 10
RESERVE_S = 120
"""Of the function's time: for the photo, with its retries, and for the answer to CloudFormation."""
NEW_ROLE_S = 60
"""How long AWS may take to know a role everywhere."""
MAX_REASON, MAX_QUOTE = 900, 400
"""Letters, of up to four bytes: CloudFormation takes a response of 4096 bytes."""


class LambdaContext(Protocol):
    log_stream_name: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointCheck:
    sagemaker: "SageMakerClient"
    runtime: "SageMakerRuntimeClient"
    left_s: Callable[[], float]
    """How much longer this function may run."""
    sleep: Callable[[float], None] = time.sleep

    def run(self, endpoint: str, config: str) -> Json:
        """The endpoint's answer to one photo. Raises `ProbeError` where it does not serve this config, or not well."""
        log = f"log group /aws/sagemaker/Endpoints/{endpoint}"
        try:
            found = self._settled(endpoint)
            _require_served(found, config, log)
            return self._once_allowed(lambda: ask(self.runtime, endpoint))
        except (BotoCoreError, ClientError) as error:
            raise ProbeError(
                f"Endpoint {endpoint} did not answer a photo: {str(error)[:MAX_QUOTE]}. Its containers write to {log}; "
                "a first deploy that fails takes that with it, unless it is run as `cdk deploy --no-rollback`."
            ) from error

    def _settled(self, endpoint: str) -> Json:
        """What SageMaker says of the endpoint, once it has ended what it was doing, or when time is up."""
        while True:
            found = self._once_allowed(lambda: dict(self.sagemaker.describe_endpoint(EndpointName=endpoint)))
            if found["EndpointStatus"] not in UNSETTLED or self.left_s() < RESERVE_S + LOOK_EVERY_S:
                return found
            self.sleep(LOOK_EVERY_S)

    def _once_allowed(self, call: Callable[[], T]) -> T:
        """The result of a call, after waiting for a role that was made a moment ago."""
        for _ in range(NEW_ROLE_S // LOOK_EVERY_S):
            try:
                return call()
            except ClientError as error:
                if error.response["Error"]["Code"] != "AccessDeniedException":
                    raise
            self.sleep(LOOK_EVERY_S)
        return call()


def _require_served(found: Json, config: str, log: str) -> None:
    endpoint, status, served = found["EndpointName"], found["EndpointStatus"], found["EndpointConfigName"]
    reason = f" SageMaker says: {found['FailureReason'][:MAX_QUOTE]}" if found.get("FailureReason") else ""
    if status in UNSETTLED:
        raise ProbeError(f"Endpoint {endpoint} is still {status}; deploy again when it is InService.{reason}")
    if served != config:
        raise ProbeError(
            f"Endpoint {endpoint} serves endpoint config {served}, not the new {config}: SageMaker rolled the update "
            f"back, and the old model answers.{reason} An alarm of the rollout went off, or the new containers did not "
            f"become healthy: look at this stack's alarms and at {log}, mend the cause and deploy again."
        )
    if status != "InService":
        raise ProbeError(
            f"Endpoint {endpoint} is {status}, not InService.{reason} Look at {log}, mend the cause and deploy again."
        )


def on_event(event: Json, context: LambdaContext) -> None:
    """Answers CloudFormation in every case: without an answer, a deploy would wait for its time limit."""
    try:
        outcome = {"Status": "SUCCESS", "Data": {} if event["RequestType"] == "Delete" else _check(event, context)}
    except Exception as error:
        reason = str(error) if isinstance(error, ProbeError) else f"The check itself failed: {error!r}"
        outcome = {"Status": "FAILED", "Reason": reason[:MAX_REASON]}
    print(json.dumps({"request": event["RequestType"], **outcome}))
    _answer(event, outcome)


def _check(event: Json, context: LambdaContext) -> Json:
    properties = event["ResourceProperties"]
    patient = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
    check = EndpointCheck(
        sagemaker=boto3.client("sagemaker", config=patient),
        runtime=runtime(attempts=3),
        left_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    answer = check.run(properties["EndpointName"], properties["EndpointConfigName"])
    return {"Model": answer["model"], "Breed": answer["predictions"][0]["breed"]}


def _answer(event: Json, outcome: Json) -> None:
    body: dict[str, Any] = {
        "PhysicalResourceId": event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-of-the-endpoint",
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        **outcome,
    }
    urllib3.PoolManager().request(
        "PUT",
        event["ResponseURL"],
        body=json.dumps(body, ensure_ascii=False).encode(),
        headers={"content-type": ""},  # the address is signed without one
        timeout=10,
        retries=urllib3.Retry(5, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504)),
    )
