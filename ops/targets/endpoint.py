"""Ask the deployed SageMaker endpoint for the breeds in a photo."""

from typing import Any

from botocore.exceptions import ClientError

from inference.photo.file_types import file_type
from inference.prediction import Prediction
from ops.targets.aws import MAX_REQUEST_BYTES, client, deployed, explained
from ops.targets.reply import Ask, RefusedError, Reply, TargetError, predictions_of


def endpoint(name: str, *, environment: str, top_k: int) -> Ask:
    """Ask the endpoint with this name; empty for the output EndpointName of the environment's Serving stack.

    Raises TargetError if there is no such output, and BucketError if AWS returns an error for it.
    """
    name = name or deployed("serving", "EndpointName", environment=environment, kind="endpoint", option="--endpoint")
    runtime = client("sagemaker-runtime", environment=environment)

    def ask(photo: bytes) -> list[Prediction]:
        if len(photo) > MAX_REQUEST_BYTES:
            raise RefusedError(
                f"The photo has {len(photo):,} bytes, and an endpoint takes at most {MAX_REQUEST_BYTES:,}. Scale it "
                "down, or ask a model on this machine (--model)."
            )
        with explained(f"the call of the endpoint {name}", needs=f"sagemaker:InvokeEndpoint on {name}"):
            try:
                answer = runtime.invoke_endpoint(
                    EndpointName=name,
                    Body=photo,
                    ContentType=file_type(photo).media_type or "application/octet-stream",
                    Accept="application/json",
                    CustomAttributes=f"top_k={top_k}",
                )
                reply = Reply(status=200, body=answer["Body"].read())
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ValidationError":
                    _explain_state(name, environment, str(error.response["Error"]["Message"]))
                if code != "ModelError":
                    raise
                reply = _of_container(dict(error.response))
            return predictions_of(reply)

    return ask


def _of_container(response: dict[str, Any]) -> Reply:
    """The container's own answer. SageMaker reports the status 0 if the container did not answer in time."""
    status = int(response.get("OriginalStatusCode") or 0)
    if not status:
        raise RefusedError("The model did not answer within SageMaker's limit of 60 s; try again.")
    return Reply(status=status, body=str(response.get("OriginalMessage") or "").encode(errors="replace"))


def _explain_state(name: str, environment: str, message: str) -> None:
    """Raise TargetError for an endpoint that does not exist or is not in service. InvokeEndpoint calls both a
    ValidationError."""
    sagemaker = client("sagemaker", environment=environment)
    region = sagemaker.meta.region_name
    with explained(
        f"the call that describes the endpoint {name}, which does not answer ({message})",
        needs=f"sagemaker:DescribeEndpoint on {name}",
    ):
        try:
            found = sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":
                raise TargetError(
                    f"There is no endpoint {name} in {region}. Copy the name from the Serving stack's output "
                    "EndpointName, or leave it out."
                ) from error
            raise
    status = found["EndpointStatus"]
    if status != "InService":
        reason = found.get("FailureReason")
        raise TargetError(
            f"The endpoint {name} in {region} is {status}, not InService"
            f"{f' ({reason})' if reason else ''}. Wait until its deploy has ended, or correct what failed."
        )
    raise RefusedError(f"The endpoint {name} refused the request: {message}")
