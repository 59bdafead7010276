"""SageMaker data capture: a percentage of requests and responses, stored in the bucket."""

from aws_cdk import Duration
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.common.iam import allow
from stacks.settings import CaptureSettings
from stacks.storage.bucket_access import BucketAccess, BucketGrant


class EndpointCapture(Construct):
    """The endpoint's capture configuration, the right to write there, and the expiry of what was captured.

    SageMaker writes JSON lines to <prefix><endpoint>/<variant>/<year>/<month>/<day>/<hour>/. The scope is the bucket's
    `BucketAccess`, since every rule about the bucket belongs to the storage stack.
    """

    def __init__(self, scope: BucketAccess, id: str, *, settings: CaptureSettings) -> None:
        super().__init__(scope, id)
        bucket = scope.bucket
        bucket.add_lifecycle_rule(
            prefix=settings.prefix,
            expiration=Duration.days(settings.keep_days),
            # the bucket is versioned: without this rule an expired object would stay as a noncurrent version
            noncurrent_version_expiration=Duration.days(1),
        )
        objects = f"{scope.arn}/{settings.prefix}*"
        rights = [allow("s3:PutObject", on=objects), *scope.key_rights("s3:PutObject")]
        self.writer = BucketGrant(rights, objects=[objects])
        content = sagemaker.CfnEndpointConfig.CaptureContentTypeHeaderProperty(
            json_content_types=["application/json"]  # responses are written as text; photos in base64
        )
        self.config = sagemaker.CfnEndpointConfig.DataCaptureConfigProperty(
            enable_capture=True,
            initial_sampling_percentage=settings.percent,
            destination_s3_uri=f"s3://{bucket.bucket_name}/{settings.prefix}",
            kms_key_id=scope.key_arn or None,
            capture_options=[
                sagemaker.CfnEndpointConfig.CaptureOptionProperty(capture_mode=mode) for mode in ("Input", "Output")
            ],
            capture_content_type_header=content,
        )
