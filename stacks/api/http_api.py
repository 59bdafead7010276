"""An HTTP API in front of the function, for callers without an AWS SDK."""

import json

from aws_cdk import Aws
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from contract.http_api import PAGE_ROUTE, PREDICT_ROUTE
from stacks.common.log_group import OwnedLogGroup
from stacks.common.nag import acknowledge
from stacks.settings import ApiSettings

ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "caller": "$context.identity.userArn",
    "route": "$context.routeKey",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "ms": "$context.responseLatency",
    "error": "$context.error.message",
    "function_error": "$context.integrationErrorMessage",
}
"""The caller and the outcome of each request; never its content."""


class HttpApi(Construct):
    """POST /predict to one alias, and with `api.page` GET / for the web page.

    Callers sign their requests (AWS_IAM) unless `api.http_authorization` is `none`.

    A caller needs `execute-api:Invoke` on `route_arn` in its own policy. Deleting the API deletes its URL.
    """

    def __init__(self, scope: Construct, id: str, *, name: str, alias: lambda_.Alias, settings: ApiSettings) -> None:
        super().__init__(scope, id)
        api = gateway.CfnApi(
            self, "Api", name=name, protocol_type="HTTP", description="Predicts the breed of the dog in a photo"
        )
        integration = gateway.CfnIntegration(
            self,
            "Function",
            api_id=api.ref,
            integration_type="AWS_PROXY",
            integration_uri=alias.function_arn,
            payload_format_version="2.0",
            timeout_in_millis=settings.http_timeout_s * 1000,
        )
        route = gateway.CfnRoute(
            self,
            "Predict",
            api_id=api.ref,
            route_key=PREDICT_ROUTE,
            authorization_type="AWS_IAM" if settings.http_authorization == "iam" else "NONE",
            target=f"integrations/{integration.ref}",
        )
        routes = [route]
        if settings.page:
            routes.append(
                gateway.CfnRoute(
                    self,
                    "Page",
                    api_id=api.ref,
                    route_key=PAGE_ROUTE,
                    authorization_type="NONE",
                    target=f"integrations/{integration.ref}",
                )
            )
        if settings.http_authorization == "none":
            for each in routes:
                acknowledge(
                    each,
                    "Open to everyone because api.http_authorization is none; the request rate is limited.",
                    "APIG4",
                )
        log_group = OwnedLogGroup(
            self,
            "AccessLogs",
            # API Gateway adds each log group to a resource policy of limited size, except for groups with this prefix
            name=f"/aws/vendedlogs/http-api/{name}",
            retention_days=settings.log_retention_days,
        )
        gateway.CfnStage(
            self,
            "Stage",
            api_id=api.ref,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=gateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=log_group.log_group_arn, format=json.dumps(ACCESS_LOG)
            ),
            default_route_settings=gateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=settings.http_requests_per_s,
                throttling_burst_limit=settings.http_burst,
            ),
        )
        self.url = f"{api.attr_api_endpoint}/predict"
        self.page_url = f"{api.attr_api_endpoint}/"
        self.route_arn = _route_arn(api, PREDICT_ROUTE)
        alias.add_permission(
            "Http", principal=iam.ServicePrincipal("apigateway.amazonaws.com"), source_arn=self.route_arn
        )
        if settings.page:
            alias.add_permission(
                "Page",
                principal=iam.ServicePrincipal("apigateway.amazonaws.com"),
                source_arn=_route_arn(api, PAGE_ROUTE),
            )


def _route_arn(api: gateway.CfnApi, route: str) -> str:
    """The route in every stage."""
    path = route.replace(" ", "")
    return f"arn:{Aws.PARTITION}:execute-api:{Aws.REGION}:{Aws.ACCOUNT_ID}:{api.ref}/*/{path}"
