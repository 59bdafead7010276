"""What a version in the Model Registry says of its training. The functions write it, and `kennel models` reads it."""

TRAINING_JOB = "training-job"
TRAINING_IMAGE = "training-image"
INSTANCES = "instances"
DATA_DIGEST = "data-digest"
"""The digest of the photos, or its first ten digits."""
SOURCE_ARCHIVE = "source-archive"
"""Keys of a version's CustomerMetadataProperties, beside the names of the metrics (contract/training_metrics.py)."""

GATE = "Accuracy gate:"
"""The start of an ApprovalDescription that Kennel wrote. A person's decision has another one."""


def served_again(group: str, number: int) -> str:
    """The name of the model and of the endpoint configuration with which `kennel rollback` serves a version."""
    return f"{group}-v{number}"


def describes(job: str) -> str:
    """The ModelPackageDescription of a job's version, by which it is found in a list."""
    return f"Artifact of training job {job}"
