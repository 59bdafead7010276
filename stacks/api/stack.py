"""Api: the Lambda function that callers reach the endpoint through."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.api.http_api import HttpApi
from stacks.common.function import PythonFunction
from stacks.common.iam import allow
from stacks.common.log_group import OwnedLogGroup
from stacks.common.nag import acknowledge, wildcard
from stacks.common.telemetry import FunctionTelemetry
from stacks.settings import ApiSettings

ROOT = Path(__file__).resolve().parents[2]
ALIAS = "live"


class ApiStack(cdk.Stack):
    """Owns the function, its alias `live`, and the HTTP API in front where the settings ask for one.

    Holds no data: delete it and deploy it again at will; an HTTP API then has another address.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint_name: str,
        telemetry: FunctionTelemetry,
        settings: ApiSettings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)

        function = self._function(endpoint_name, telemetry, settings)
        if settings.readable_s3_prefixes:
            acknowledge(
                function.execution_role,
                "Photos are many; each wildcard ends one prefix of api.readable_s3_prefixes.",
                *(wildcard(photos, within=self) for photos in _readable(settings)),
            )
        alias = lambda_.Alias(
            self,
            "Live",
            alias_name=ALIAS,
            version=function.current_version,
            provisioned_concurrent_executions=settings.provisioned_concurrency or None,
        )

        self.function_name = function.function_name
        cdk.CfnOutput(self, "FunctionArn", value=alias.function_arn)
        if settings.http:
            http = HttpApi(self, "Http", name=self.stack_name, alias=alias, settings=settings)
            cdk.CfnOutput(self, "HttpUrl", value=http.url)
            cdk.CfnOutput(self, "HttpRouteArn", value=http.route_arn)

    def _function(self, endpoint_name: str, telemetry: FunctionTelemetry, settings: ApiSettings) -> PythonFunction:
        return PythonFunction(
            self,
            "Function",
            description="Names the breed in a photo",
            # the folder itself is the package, so the archive's root is its parent, and nothing else in it
            code=lambda_.Code.from_asset(
                str(ROOT), exclude=["/*", "!/lambda_fn", "__pycache__"], ignore_mode=cdk.IgnoreMode.GIT
            ),
            handler="lambda_fn.handler.handler",
            timeout_s=settings.timeout_s,
            memory_mib=settings.memory_mib,
            environment={
                "ENDPOINT_NAME": endpoint_name,
                "READABLE_S3_PREFIXES": ",".join(settings.readable_s3_prefixes),
            },
            log_group=OwnedLogGroup(self, "Logs", retention_days=settings.log_retention_days),
            rights=self._rights(endpoint_name, settings),
            telemetry=telemetry,
            failed_events=False,  # its role may invoke the endpoint and leave logs and traces: no more
        )

    def _rights(self, endpoint_name: str, settings: ApiSettings) -> list[iam.PolicyStatement]:
        """This endpoint, and the S3 prefixes that the settings name."""
        endpoint = self.format_arn(service="sagemaker", resource="endpoint", resource_name=endpoint_name)
        rights = [allow("sagemaker:InvokeEndpoint", on=endpoint)]
        if settings.readable_s3_prefixes:
            rights.append(allow("s3:GetObject", on=_readable(settings)))
        return rights


def _readable(settings: ApiSettings) -> list[str]:
    prefixes = (prefix.removeprefix("s3://") for prefix in settings.readable_s3_prefixes)
    return [f"arn:{cdk.Aws.PARTITION}:s3:::{prefix}*" for prefix in prefixes]
