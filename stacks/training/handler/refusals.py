"""SageMaker's reasons for not starting a job, recognised by their wording, and what to do about each."""

from botocore.exceptions import BotoCoreError, ClientError

NOT_YET_PROPAGATED = (
    # A new role takes seconds to reach SageMaker, S3 and ECR. Until then they refuse with these messages.
    "Could not assume role",
    "Unauthorized to List objects under S3 URL",
    "Access denied to OutputDataConfig S3 bucket",
    "no identity-based policy allows the s3:ListBucket action",
    "Access denied for repository",
)
PROPAGATION_WAITS_S = (5, 10, 15, 20, 30, 40)

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
    return any(words in error.response["Error"]["Message"] for words in NOT_YET_PROPAGATED)


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
