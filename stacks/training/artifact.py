"""What training hands to serving."""

from dataclasses import dataclass

from stacks.storage.bucket_access import BucketGrant


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelArtifact:
    """A model.tar.gz, as far as synth can know it."""

    uri: str
    """S3 URI; for a job's artifact a reference that CloudFormation resolves after the job."""
    reader: BucketGrant
    """Lets a role read the artifact."""
    recipe: str
    """Digest of what makes it, known at synth. It marks the serving template, so that a new artifact is a change there
    too: the URI itself is a reference, which reads the same before and after a training."""
