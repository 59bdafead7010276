"""Settings of the bucket."""

from dataclasses import dataclass
from typing import Annotated

from contract.declarations import Range
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

    def __post_init__(self) -> None:
        check(self, "storage")
        apart(
            "storage.artifact_prefix",
            self.artifact_prefix,
            "storage.data_prefix",
            self.data_prefix,
            why="so that a job cannot overwrite the photos",
        )
