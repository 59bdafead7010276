"""Who may do what with the bucket: one policy for each kind of work, written where the bucket is."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.acknowledge import acknowledge, wildcard
from stacks.constructs.policy import allow
from stacks.settings import StorageSettings


class BucketAccess(Construct):
    """The bucket as other stacks see it, with policies for their roles: none writes a rule of its own on the data."""

    def __init__(self, scope: Construct, id: str, *, bucket: s3.Bucket, settings: StorageSettings) -> None:
        super().__init__(scope, id)
        self.bucket = bucket
        self.settings = settings
        photos = f"{settings.data_prefix}*"
        artifacts = f"{settings.artifact_prefix}artifacts/*"
        everything_of_jobs = f"{settings.artifact_prefix}*"
        self.read_photos = self._policy("ReadPhotos", bucket, photos, "s3:GetObject")
        self.read_artifacts = self._policy("ReadArtifacts", bucket, artifacts, "s3:GetObject")
        # what is trained by hand is added: it neither reads nor replaces what the jobs made
        self.results_prefix = f"{settings.artifact_prefix}workbench/"
        self.write_results = self._policy(
            "WriteResults", bucket, f"{self.results_prefix}*", "s3:PutObject", "s3:AbortMultipartUpload"
        )
        self.write_artifacts = self._policy(
            "WriteArtifacts", bucket, everything_of_jobs, "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"
        )

    def _policy(self, id: str, bucket: s3.Bucket, prefix: str, *actions: str) -> iam.ManagedPolicy:
        policy = iam.ManagedPolicy(
            self,
            id,
            statements=[
                allow(*actions, on=bucket.arn_for_objects(prefix)),
                allow("s3:ListBucket", on=bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": prefix}}),
            ],
        )
        acknowledge(policy, "Objects are many; the wildcard ends one prefix.", wildcard(bucket, f"/{prefix}"))
        return policy
