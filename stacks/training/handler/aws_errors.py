"""The errors of AWS that the handler recognises by code or message, and what to do about each."""

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

Answer = TypeVar("Answer")

NOT_YET_PROPAGATED = (
    # A new role or policy takes seconds to reach every service. Until then they return these messages.
    "no identity-based policy allows",
    "Could not assume role",
    "Unauthorized to List objects under S3 URL",
    "Access denied to OutputDataConfig S3 bucket",
    "Access denied for repository",
)
EXPLICIT_DENY = "explicit deny"
"""Part of IAM's message where a policy denies the action. No wait changes that."""

PROPAGATION_WAITS_S = (5, 10, 15, 20, 30, 40)
"""Seconds between the tries of one call: two minutes in all."""

NO_CAPACITY = (
    # In the FailureReason of a job that failed within minutes, or as the error code of CreateTrainingJob.
    "CapacityError",
    "InsufficientCapacity",
    "InsufficientInstanceCapacity",
    "Unable to provision requested ML compute capacity",
)

TRANSIENT = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestTimeout", "ServiceUnavailable")


class TrainingError(Exception):
    """Fails the deploy. CloudFormation shows its text: what is wrong, and what to do now."""


def is_transient(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may succeed when repeated: throttling, a service fault, or no response."""
    if not isinstance(error, ClientError):
        return True  # connection errors and timeouts
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in TRANSIENT or status >= 500


def says_no_capacity(text: str) -> bool:
    return any(words in text for words in NO_CAPACITY)


def is_capacity(error: ClientError) -> bool:
    return says_no_capacity(f"{error.response['Error']['Code']}: {error.response['Error']['Message']}")


def is_propagation(error: ClientError) -> bool:
    """Whether a service may not know a new role or policy yet."""
    message = error.response["Error"]["Message"]
    return EXPLICIT_DENY not in message and any(words in message for words in NOT_YET_PROPAGATED)


def wait_for_permission(call: Callable[[], Answer], sleep: Callable[[float], None]) -> Answer:
    """Repeat a call while AWS may not know the caller's policy yet. Raises AWS's last error after two minutes."""
    for wait_s in (*PROPAGATION_WAITS_S, None):
        try:
            return call()
        except ClientError as error:
            if wait_s is None or not is_propagation(error):
                raise
        sleep(wait_s)
    raise AssertionError("the last wait is None, which raises or returns")


def quota_sentence(instance_type: str, count: int, *, spot: bool, message: str) -> str:
    """The error text for a quota that is too small, with the two commands that request an increase."""
    quota = f"{instance_type} for {'spot ' if spot else ''}training job usage"
    return (
        f"This account cannot run {count} x {instance_type} for training: "
        f"the quota '{quota}' must be at least {count}. "
        f"Find its code: aws service-quotas list-service-quotas --service-code sagemaker "
        f"--query \"Quotas[?QuotaName=='{quota}'].QuotaCode\" --output text. Then request more: "
        f"aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code CODE "
        f"--desired-value {count}. Deploy again when it is granted. SageMaker says: {message}"
    )
