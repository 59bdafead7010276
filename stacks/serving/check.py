"""A deploy fails where the endpoint that it leaves does not answer, or is not the new one."""

from aws_cdk import Aws, CustomResource, Duration
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.common.function import PythonFunction
from stacks.common.iam import allow
from stacks.common.log_group import OwnedLogGroup
from stacks.common.telemetry import FunctionTelemetry
from stacks.serving.probe_package import package
from stacks.settings import ServingSettings

TIMEOUT_S = 900
"""Lambda's longest: an endpoint that autoscaling is just changing has to settle first."""


class EndpointCheck(Construct):
    """Asks the endpoint for the breed in a photo after each change of it. Deleting it does nothing.

    A function behind a custom resource, without CDK's Provider framework: the work fits one call, and the framework
    would add a function, two roles and a wildcard.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint: sagemaker.CfnEndpoint,
        config: sagemaker.CfnEndpointConfig,
        recipe: str,
        telemetry: FunctionTelemetry,
        settings: ServingSettings,
    ) -> None:
        super().__init__(scope, id)
        arn = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:endpoint/{settings.endpoint_name}"
        function = PythonFunction(
            self,
            "Function",
            description="Fails a deploy that leaves no prediction",
            code=package(),
            handler="probe.check.on_event",
            log_group=OwnedLogGroup(self, "Logs", retention_days=settings.log_retention_days),
            timeout_s=TIMEOUT_S,
            telemetry=telemetry,
            rights=[allow("sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint", on=arn)],
        )
        check = CustomResource(
            self,
            "Check",
            resource_type="Custom::EndpointCheck",
            service_token=function.function_arn,
            service_timeout=Duration.seconds(TIMEOUT_S + 60),
            properties={
                "EndpointName": settings.endpoint_name,
                "EndpointConfigName": config.attr_endpoint_config_name,
                # Not read by the function: CloudFormation checks again when one of them changes.
                "Recipe": recipe,
                "Settings": repr(settings),
            },
        )
        check.node.add_dependency(endpoint, function.execution_role)
        self.model = check.get_att_string("Model")
