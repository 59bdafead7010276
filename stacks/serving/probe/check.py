"""The check after a deploy, as a custom resource: the deploy fails if the endpoint does not serve what was deployed.

CloudFormation accepts any endpoint that is InService, and an endpoint is InService, too, after SageMaker has rolled an
update back.
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

from .prediction import Json, ProbeError, predict, runtime_client

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

T = TypeVar("T")

IN_TRANSITION = ("Creating", "Updating", "SystemUpdating", "RollingBack")
"""Autoscaling, too, sets an endpoint to Updating for some minutes."""
POLL_INTERVAL_S = 10
RESERVE_S = 120
"""Time kept free for the prediction, with its retries, and for the response to CloudFormation."""
IAM_PROPAGATION_S = 60
"""How long the policy of a new IAM role may take to become effective."""
MAX_REASON, MAX_QUOTE = 900, 400
"""In characters, of up to four bytes each: CloudFormation accepts a response of at most 4096 bytes."""


class LambdaContext(Protocol):
    log_stream_name: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointCheck:
    sagemaker: "SageMakerClient"
    runtime: "SageMakerRuntimeClient"
    remaining_s: Callable[[], float]
    """Seconds until Lambda ends this invocation."""
    sleep: Callable[[float], None] = time.sleep

    def run(self, endpoint: str, config: str) -> Json:
        """The endpoint's prediction for one photo. Raises `ProbeError` if it serves another config or gives none."""
        log = f"log group /aws/sagemaker/Endpoints/{endpoint}"
        try:
            description = self._wait_until_stable(endpoint)
            _require_served(description, config, log)
            return self._retry_while_denied(lambda: predict(self.runtime, endpoint))
        except (BotoCoreError, ClientError) as error:
            raise ProbeError(
                f"Endpoint {endpoint} did not answer a photo: {str(error)[:MAX_QUOTE]}. Its containers' output is in "
                f"{log}. The rollback of a first deploy deletes that log group; deploy with `cdk deploy --no-rollback` "
                "to keep it."
            ) from error

    def _wait_until_stable(self, endpoint: str) -> Json:
        """DescribeEndpoint's response, once the endpoint is no longer in transition or time runs out."""
        while True:
            found = self._retry_while_denied(lambda: dict(self.sagemaker.describe_endpoint(EndpointName=endpoint)))
            if found["EndpointStatus"] not in IN_TRANSITION or self.remaining_s() < RESERVE_S + POLL_INTERVAL_S:
                return found
            self.sleep(POLL_INTERVAL_S)

    def _retry_while_denied(self, call: Callable[[], T]) -> T:
        """The call's result. Waits for the policy of a role that CloudFormation has only just created."""
        for _ in range(IAM_PROPAGATION_S // POLL_INTERVAL_S):
            try:
                return call()
            except ClientError as error:
                if error.response["Error"]["Code"] != "AccessDeniedException":
                    raise
            self.sleep(POLL_INTERVAL_S)
        return call()


def _require_served(description: Json, config: str, log: str) -> None:
    endpoint, status = description["EndpointName"], description["EndpointStatus"]
    served = description["EndpointConfigName"]
    failure = description.get("FailureReason", "")[:MAX_QUOTE]
    reason = f" SageMaker's reason: {failure}" if failure else ""
    if status in IN_TRANSITION:
        raise ProbeError(f"Endpoint {endpoint} is still {status}; deploy again when it is InService.{reason}")
    if served != config:
        raise ProbeError(
            f"Endpoint {endpoint} serves endpoint config {served}, not the new {config}: SageMaker rolled the update "
            f"back, and the old model answers.{reason} Either a rollout alarm went off or the new containers did not "
            f"become healthy. Look at this stack's alarms and at {log}, fix the cause and deploy again."
        )
    if status != "InService":
        raise ProbeError(
            f"Endpoint {endpoint} is {status}, not InService.{reason} Look at {log}, fix the cause and deploy again."
        )


def on_event(event: Json, context: LambdaContext) -> None:
    """Always respond to CloudFormation: without a response, the deploy would wait until its timeout."""
    try:
        outcome = {"Status": "SUCCESS", "Data": {} if event["RequestType"] == "Delete" else _check(event, context)}
    except Exception as error:
        reason = str(error) if isinstance(error, ProbeError) else f"The check itself failed: {error!r}"
        outcome = {"Status": "FAILED", "Reason": reason[:MAX_REASON]}
    print(json.dumps({"request": event["RequestType"], **outcome}))
    _respond(event, outcome)


def _check(event: Json, context: LambdaContext) -> Json:
    properties = event["ResourceProperties"]
    with_retries = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
    check = EndpointCheck(
        sagemaker=boto3.client("sagemaker", config=with_retries),
        runtime=runtime_client(attempts=3),
        remaining_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
    answer = check.run(properties["EndpointName"], properties["EndpointConfigName"])
    return {"Model": answer["model"], "Breed": answer["predictions"][0]["breed"]}


def _respond(event: Json, outcome: Json) -> None:
    body: dict[str, Any] = {
        "PhysicalResourceId": event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-of-the-endpoint",
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        **outcome,
    }
    urllib3.PoolManager().request(
        "PUT",
        event["ResponseURL"],
        body=json.dumps(body, ensure_ascii=False).encode(),
        headers={"content-type": ""},  # the URL is signed without a content type
        timeout=10,
        retries=urllib3.Retry(5, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504)),
    )
