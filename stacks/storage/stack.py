"""Storage: the bucket with photos and artifacts."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.common.nag import acknowledge
from stacks.common.runbook import RUNBOOK, anchor
from stacks.settings import SettingsError, StorageSettings
from stacks.storage.auto_delete import ScopedAutoDelete
from stacks.storage.bucket_access import BucketAccess


class StorageStack(cdk.Stack):
    """Owns the data. Deleting it deletes the photos and artifacts, unless the environment has `keep_bucket`."""

    def __init__(
        self, scope: Construct, id: str, *, keep_bucket: bool, settings: StorageSettings, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, **kwargs)

        self.bucket = self._bucket(keep_bucket, settings)
        name = cdk.CfnOutput(self, "BucketName", value=self.bucket.bucket_name)
        self.access = BucketAccess(self, "Access", bucket=self.bucket, bucket_name=name, settings=settings)
        if not keep_bucket:
            ScopedAutoDelete(self, "AutoDelete")

        cdk.CfnOutput(self, "DataUri", value=f"s3://{self.bucket.bucket_name}/{settings.data_prefix}")
        if keep_bucket:
            cdk.CfnOutput(
                self,
                "HowToRemoveTheBucket",
                value="`cdk destroy` leaves it. To empty and delete it too, set termination and keep_bucket to false "
                "in the environment's file, deploy, then destroy: "
                f"{RUNBOOK}#{anchor('Destroying a protected environment')}",
            )

    def _bucket(self, keep_bucket: bool, settings: StorageSettings) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            **self._encryption(settings.kms_key_arn),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    noncurrent_version_expiration=cdk.Duration.days(settings.noncurrent_version_days),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(settings.incomplete_upload_days),
                    expired_object_delete_marker=True,
                )
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN if keep_bucket else cdk.RemovalPolicy.DESTROY,
            auto_delete_objects=not keep_bucket,
        )
        acknowledge(
            bucket,
            "The design has one bucket, and access logs would need a second. CloudTrail data events, which an account "
            "turns on for all its buckets, record who reads the photos.",
            "S1",
        )
        return bucket

    def _encryption(self, key_arn: str) -> dict[str, Any]:
        """The bucket's default encryption. Raises SettingsError for a key of another region than the stack's."""
        if not key_arn:
            return {"encryption": s3.BucketEncryption.S3_MANAGED}
        region = key_arn.split(":")[3]
        if not cdk.Token.is_unresolved(self.region) and region != self.region:
            raise SettingsError(
                f"storage.kms_key_arn is {key_arn!r}, a key of {region}, but S3 accepts only keys of the bucket's own "
                f"region, {self.region}; name a key of that region."
            )
        return {
            "encryption": s3.BucketEncryption.KMS,
            "encryption_key": kms.Key.from_key_arn(self, "Key", key_arn),
            # one call to KMS for many photos, instead of one for each
            "bucket_key_enabled": True,
        }
