"""The last step of a deploy: fail it unless the endpoint serves the new configuration and answers a photo."""

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
"""Lambda's maximum: if autoscaling is changing the endpoint, the check waits until it has finished."""


class EndpointCheck(Construct):
    """A custom resource that invokes the endpoint after each change. Deleting it changes nothing.

    It does not use CDK's Provider framework: the work fits into one invocation, and the framework would add a function,
    two roles and a wildcard right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint: sagemaker.CfnEndpoint,
        config: sagemaker.CfnEndpointConfig,
        inputs_digest: str,
        telemetry: FunctionTelemetry,
        settings: ServingSettings,
    ) -> None:
        super().__init__(scope, id)
        arn = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:endpoint/{settings.endpoint_name}"
        function = PythonFunction(
            self,
            "Function",
            description="Fails the deploy unless the endpoint returns a prediction",
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
                # The function does not read these two. CloudFormation runs the check again when one of them changes.
                "InputsDigest": inputs_digest,
                "Settings": repr(settings),
            },
        )
        check.node.add_dependency(endpoint, function.execution_role)
        self.model = check.get_att_string("Model")
