"""Settings of the bucket."""

from dataclasses import dataclass
from typing import Annotated

from contract.declarations import Pattern, Range
from stacks.settings.rules import PREFIX, apart, check


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageSettings:
    data_prefix: Annotated[str, PREFIX] = "data/"
    """Where the photos are: data/{train,valid,test}/<breed>/."""
    artifact_prefix: Annotated[str, PREFIX] = "training/"
    """Where training jobs write artifacts and checkpoints."""
    checkpoint_days: Annotated[int, Range(1, 365, "days")] = 30
    """When a training job's checkpoint is deleted. Until then, another attempt with the same inputs resumes from it."""
    noncurrent_version_days: Annotated[int, Range(1, 3650, "days")] = 30
    """How long an overwritten or deleted object can be restored."""
    incomplete_upload_days: Annotated[int, Range(1, 365, "days")] = 7
    """When an upload that never finished is deleted; until then it is billed."""

    kms_key_arn: Annotated[
        str,
        Pattern(
            r"|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+",
            "the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID (an alias gives no rights), or empty",
        ),
    ] = ""
    """Your KMS key, in the region of the deploy, with which S3 encrypts what is written to the bucket from now on. Each
    role that uses objects of the bucket may use this key, through S3 alone; the key's policy must let IAM decide, or
    name the roles. Empty: S3's own key, which is free."""

    def __post_init__(self) -> None:
        check(self, "storage")
        apart(
            "storage.artifact_prefix",
            self.artifact_prefix,
            "storage.data_prefix",
            self.data_prefix,
            why="so that a job cannot overwrite the photos",
        )
