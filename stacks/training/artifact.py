"""The model artifact that the training stack passes to the serving stack."""

from dataclasses import dataclass

from stacks.storage.bucket_access import BucketGrant


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelArtifact:
    """A model.tar.gz, described by values that are known at synthesis."""

    uri: str
    """S3 URI. For a job's artifact it is a reference that CloudFormation resolves when the job has ended."""
    reader: BucketGrant
    """The right to read the artifact."""
    inputs_digest: str
    """Digest of the inputs that produce the artifact, known at synth. It goes into the serving template, so that a new
    artifact is a change of that template; the URI is a reference, whose text stays the same."""
