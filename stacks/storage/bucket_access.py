"""Who may do what with the bucket: one grant for each kind of work, written where the bucket is."""

from collections.abc import Sequence

from aws_cdk import Aws, CfnOutput, Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.common.iam import allow
from stacks.common.nag import acknowledge, wildcard
from stacks.settings import StorageSettings


class BucketGrant:
    """Rights on the bucket's objects, for the roles of other stacks."""

    def __init__(
        self, statements: Sequence[iam.PolicyStatement], *, objects: str = "", of: Stack | None = None
    ) -> None:
        self._statements = statements
        self._objects = objects
        self._of = of

    def to(self, role: iam.Role) -> None:
        """Write the rights into a role's own policy: what a role may do is read in one place."""
        for statement in self._statements:
            role.add_to_policy(statement)
        if self._of:
            Stack.of(role).add_stack_dependency(self._of)
        if self._objects:
            acknowledge(role, "Objects are many; the wildcard ends one prefix.", wildcard(self._objects, within=role))


class BucketAccess(Construct):
    """The bucket as other stacks see it, with grants for their roles: none writes a rule of its own on the data."""

    def __init__(
        self, scope: Construct, id: str, *, bucket: s3.Bucket, bucket_name: CfnOutput, settings: StorageSettings
    ) -> None:
        super().__init__(scope, id)
        self.bucket = bucket
        self.settings = settings
        # By the name of its output: CDK's own reference reads one way before synthesis and another way after it, and an
        # acknowledgement, which quotes the ARN, would fit only one of them.
        stack = Stack.of(self)
        name = Fn.get_stack_output(stack.stack_name, bucket_name.logical_id, stack.region)
        self.arn = f"arn:{Aws.PARTITION}:s3:::{name}"
        artifacts = f"{settings.artifact_prefix}artifacts/"
        write = ("s3:PutObject", "s3:AbortMultipartUpload")
        self.read_photos = self._grant(settings.data_prefix, "s3:GetObject")
        self.read_artifacts = self._grant(artifacts, "s3:GetObject")
        # what is trained by hand is added: it neither reads nor replaces what the jobs made
        self.results_prefix = f"{settings.artifact_prefix}workbench/"
        self.write_results = self._grant(self.results_prefix, *write)
        self.write_artifacts = self._grant(settings.artifact_prefix, "s3:GetObject", *write)

    def _grant(self, prefix: str, *actions: str) -> BucketGrant:
        objects = f"{self.arn}/{prefix}*"
        listing = allow("s3:ListBucket", on=self.arn, conditions={"StringLike": {"s3:prefix": f"{prefix}*"}})
        return BucketGrant([allow(*actions, on=objects), listing], objects=objects, of=Stack.of(self))
