"""What SageMaker says when it will not start a job, in its own words, and what follows from each."""

from botocore.exceptions import BotoCoreError, ClientError

NOT_YET_PROPAGATED = (
    # A new role takes seconds to reach SageMaker, S3 and ECR; these are the words in which they say so.
    "Could not assume role",
    "Unauthorized to List objects under S3 URL",
    "Access denied to OutputDataConfig S3 bucket",
    "no identity-based policy allows the s3:ListBucket action",
    "Access denied for repository",
)
PROPAGATION_WAITS_S = (5, 10, 15, 20, 30, 40)

NO_CAPACITY = (
    # As the reason of a job that failed within minutes, and (the codes) as the refusal of a call.
    "CapacityError",
    "InsufficientCapacity",
    "InsufficientInstanceCapacity",
    "Unable to provision requested ML compute capacity",
)

TRANSIENT = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestTimeout", "ServiceUnavailable")


class TrainingError(Exception):
    """What ends a deploy. Its text is what CloudFormation shows: what is wrong, and what to do now."""


def is_transient(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may succeed in a moment: throttling, a fault of the service, no answer at all."""
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
    """Which quota is too small, and the two commands that ask for more."""
    quota = f"{instance_type} for {'spot ' if spot else ''}training job usage"
    return (
        f"This account may not run {count} x {instance_type} for training: "
        f"the quota '{quota}' must be {count} or more. "
        f"Find its code: aws service-quotas list-service-quotas --service-code sagemaker "
        f"--query \"Quotas[?QuotaName=='{quota}'].QuotaCode\" --output text. Then ask: "
        f"aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code CODE "
        f"--desired-value {count}. Deploy again when it is granted. SageMaker says: {message}"
    )
