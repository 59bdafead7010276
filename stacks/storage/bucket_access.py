"""Access to the bucket: one grant for each purpose, defined in the stack that owns the bucket."""

from collections.abc import Sequence

from aws_cdk import Aws, CfnOutput, Duration, Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.common.iam import allow
from stacks.common.nag import acknowledge, wildcard
from stacks.settings import StorageSettings


class BucketGrant:
    """A set of rights on the bucket's objects, to be given to roles of other stacks."""

    def __init__(
        self, statements: Sequence[iam.PolicyStatement], *, objects: Sequence[str] = (), of: Stack | None = None
    ) -> None:
        self._statements = statements
        self._objects = objects
        self._of = of

    def to(self, role: iam.Role) -> None:
        """Add the rights to the role's own policy, so that one policy shows all that the role may do."""
        for statement in self._statements:
            role.add_to_policy(statement)
        if self._of:
            Stack.of(role).add_stack_dependency(self._of)
        for objects in self._objects:
            acknowledge(role, "The wildcard covers the objects under one prefix.", wildcard(objects, within=role))


class BucketAccess(Construct):
    """The bucket as other stacks see it, with grants for their roles. No other stack defines rights on the data."""

    def __init__(
        self, scope: Construct, id: str, *, bucket: s3.Bucket, bucket_name: CfnOutput, settings: StorageSettings
    ) -> None:
        super().__init__(scope, id)
        self.bucket = bucket
        self.settings = settings
        # Refers to the stack output by name: CDK's own reference has one text before synthesis and another one after,
        # and a cdk-nag acknowledgement, which quotes the ARN, would match only one of them.
        stack = Stack.of(self)
        name = Fn.get_stack_output(stack.stack_name, bucket_name.logical_id, stack.region)
        self.arn = f"arn:{Aws.PARTITION}:s3:::{name}"
        artifacts = f"{settings.artifact_prefix}artifacts/"
        checkpoints = f"{settings.artifact_prefix}checkpoints/"
        # The artifacts have no such rule: S3 cannot tell the one that is served from the others
        # (docs/decisions/0075-what-is-deleted-by-age.md).
        bucket.add_lifecycle_rule(
            prefix=checkpoints,
            expiration=Duration.days(settings.checkpoint_days),
            # each epoch replaces files of the one before, and the bucket is versioned
            noncurrent_version_expiration=Duration.days(1),
        )
        write = ("s3:PutObject", "s3:AbortMultipartUpload")
        self.key_arn = settings.kms_key_arn
        self.read_photos = self._grant([settings.data_prefix], "s3:GetObject")
        self.read_artifacts = self._grant([artifacts], "s3:GetObject")
        # results of the workbench have a prefix of their own, so that they cannot replace a job's artifact
        self.results_prefix = f"{settings.artifact_prefix}workbench/"
        self.write_results = self._grant([self.results_prefix], *write)
        # listed one level up: SageMaker may list these prefixes without the slash at the end, AWS does not say
        self.write_outputs = self._grant(
            [artifacts, checkpoints], "s3:GetObject", *write, listed=settings.artifact_prefix
        )

    def key_rights(self, *actions: str) -> list[iam.PolicyStatement]:
        """The rights on the bucket's key that these actions on its objects need: none without a key of the user's.

        Only through S3: with them alone, a role can neither encrypt nor decrypt anything else.
        """
        if not self.key_arn:
            return []
        # the parts of a large upload are decrypted when S3 joins them
        needed = ["kms:Decrypt", *(["kms:GenerateDataKey"] if "s3:PutObject" in actions else [])]
        through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{Aws.REGION}.{Aws.URL_SUFFIX}"}}
        return [allow(*needed, on=self.key_arn, conditions=through_s3)]

    def _grant(self, prefixes: Sequence[str], *actions: str, listed: str = "") -> BucketGrant:
        objects = [f"{self.arn}/{prefix}*" for prefix in prefixes]
        seen = f"{listed or prefixes[0]}*"
        listing = allow("s3:ListBucket", on=self.arn, conditions={"StringLike": {"s3:prefix": seen}})
        rights = [allow(*actions, on=objects), listing, *self.key_rights(*actions)]
        return BucketGrant(rights, objects=objects, of=Stack.of(self))
