"""Api: the Lambda function through which callers reach the endpoint."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.api.http_api import HttpApi
from stacks.api.package import BESIDE_PACKAGE, PAGE
from stacks.common.function import PythonFunction
from stacks.common.iam import allow
from stacks.common.log_group import OwnedLogGroup
from stacks.common.nag import acknowledge, wildcard
from stacks.common.sources import sources
from stacks.common.staging import python_code
from stacks.common.telemetry import FunctionTelemetry
from stacks.settings import ApiSettings
from stacks.storage.bucket_access import BucketAccess

ROOT = Path(__file__).resolve().parents[2]
ALIAS = "live"


class ApiStack(cdk.Stack):
    """Owns the function, its alias `live`, and the optional HTTP API.

    Holds no data: delete it and deploy it again at any time. An HTTP API then has another URL.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function_name: str,
        endpoint_name: str,
        storage: BucketAccess,
        telemetry: FunctionTelemetry,
        settings: ApiSettings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)

        function = self._function(function_name, endpoint_name, storage, telemetry, settings)
        if settings.readable_s3_prefixes:
            acknowledge(
                function.execution_role,
                "Each wildcard covers the objects under one prefix of api.readable_s3_prefixes.",
                *(wildcard(photos, within=self) for photos in _readable(settings)),
            )
        alias = lambda_.Alias(
            self,
            "Live",
            alias_name=ALIAS,
            version=function.current_version,
            provisioned_concurrent_executions=settings.provisioned_concurrency or None,
        )

        cdk.CfnOutput(self, "FunctionArn", value=alias.function_arn)
        if settings.http:
            http = HttpApi(self, "Http", name=self.stack_name, alias=alias, settings=settings)
            cdk.CfnOutput(self, "HttpUrl", value=http.url)
            cdk.CfnOutput(self, "HttpRouteArn", value=http.route_arn)
            if settings.page:
                cdk.CfnOutput(self, "PageUrl", value=http.page_url)

    def _function(
        self, name: str, endpoint_name: str, storage: BucketAccess, telemetry: FunctionTelemetry, settings: ApiSettings
    ) -> PythonFunction:
        return PythonFunction(
            self,
            "Function",
            name=name,  # the alarms refer to it before it exists
            description="Predicts the breed of the dog in a photo",
            # the folder is itself the Python package, so the archive contains the folder and not only its files
            code=python_code(
                sources(ROOT, packages=["lambda_fn"], files=(*BESIDE_PACKAGE, *(PAGE if settings.page else ())))
            ),
            handler="lambda_fn.handler.handler",
            timeout_s=settings.timeout_s,
            memory_mib=settings.memory_mib,
            environment={
                "ENDPOINT_NAME": endpoint_name,
                "READABLE_S3_PREFIXES": ",".join(settings.readable_s3_prefixes),
                **({"ALLOWED_URL_HOSTS": ",".join(settings.allowed_url_hosts)} if settings.allowed_url_hosts else {}),
                **({"PAGE": "true"} if settings.page else {}),
            },
            log_group=OwnedLogGroup(self, "Logs", retention_days=settings.log_retention_days),
            rights=self._rights(endpoint_name, storage, settings),
            telemetry=telemetry,
            failed_events=False,  # callers invoke it synchronously
        )

    def _rights(self, endpoint_name: str, storage: BucketAccess, settings: ApiSettings) -> list[iam.PolicyStatement]:
        """The right to invoke this endpoint and to read the S3 prefixes of the settings."""
        endpoint = self.format_arn(service="sagemaker", resource="endpoint", resource_name=endpoint_name)
        rights = [allow("sagemaker:InvokeEndpoint", on=endpoint)]
        if settings.readable_s3_prefixes:
            # one of the prefixes may be in the stack's own bucket
            rights += [allow("s3:GetObject", on=_readable(settings)), *storage.key_rights("s3:GetObject")]
        return rights


def _readable(settings: ApiSettings) -> list[str]:
    prefixes = (prefix.removeprefix("s3://") for prefix in settings.readable_s3_prefixes)
    return [f"arn:{cdk.Aws.PARTITION}:s3:::{prefix}*" for prefix in prefixes]
