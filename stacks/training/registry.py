"""The Model Registry's group of this environment, in which each finished training becomes a version."""

from aws_cdk import Aws, CustomResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.common.function import PythonFunction
from stacks.common.iam import allow
from stacks.common.log_group import OwnedLogGroup
from stacks.common.nag import acknowledge, wildcard
from stacks.common.telemetry import FunctionTelemetry
from stacks.training.handler_package import package

TIMEOUT_S = 600


class ModelRegistry(Construct):
    """A model package group. Deleting it deletes its versions first; the artifacts stay where they are."""

    def __init__(
        self, scope: Construct, id: str, *, name: str, endpoint_name: str, telemetry: FunctionTelemetry
    ) -> None:
        super().__init__(scope, id)
        self.name = name
        group = sagemaker.CfnModelPackageGroup(
            self,
            "Group",
            model_package_group_name=name,
            model_package_group_description="Each finished training of this environment: kennel models",
        )
        arn = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}"
        self._versions = f"{arn}:model-package/{name}/*"
        self._group = f"{arn}:model-package-group/{name}"
        served_again = [f"{arn}:{kind}/{name}-v*" for kind in ("endpoint-config", "model")]
        function = PythonFunction(
            self,
            "Emptying",
            description="Deletes the registered versions of Kennel's model with their stack",
            code=package(),
            handler="stacks.training.handler.emptied_group.on_event",
            log_group=OwnedLogGroup(self, "Logs", retention_days=30),
            timeout_s=TIMEOUT_S,
            telemetry=telemetry,
            rights=[
                self._right("sagemaker:DeleteModelPackage", "sagemaker:ListModelPackages"),
                allow("sagemaker:DeleteEndpointConfig", "sagemaker:DeleteModel", on=served_again),
                allow("sagemaker:DescribeEndpoint", on=f"{arn}:endpoint/{endpoint_name}"),
            ],
        )
        self.acknowledge(function.execution_role)
        acknowledge(
            function.execution_role,
            "kennel rollback names what it creates after the group and a version.",
            *(wildcard(each, within=function.execution_role) for each in served_again),
        )
        emptied = CustomResource(
            self,
            "EmptiedGroup",
            resource_type="Custom::EmptiedModelGroup",
            service_token=function.function_arn,
            service_timeout=Duration.seconds(TIMEOUT_S + 60),
            properties={"ModelGroup": name, "EndpointName": endpoint_name},
        )
        emptied.node.add_dependency(group, function.execution_role)

    @property
    def registering(self) -> iam.PolicyStatement:
        """The right to register versions, and to approve or reject them."""
        return self._right(
            "sagemaker:CreateModelPackage",
            "sagemaker:DescribeModelPackage",
            "sagemaker:ListModelPackages",
            "sagemaker:UpdateModelPackage",
        )

    def acknowledge(self, role: iam.Role) -> None:
        """Acknowledge the wildcard in this right for a role that has it."""
        acknowledge(role, "SageMaker numbers the versions of a group.", wildcard(self._versions, within=role))

    def _right(self, *actions: str) -> iam.PolicyStatement:
        # the group too: AWS documents both resource types for the creation of a version
        return allow(*actions, on=[self._group, self._versions])
