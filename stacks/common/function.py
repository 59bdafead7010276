"""A Python Lambda function that has only the rights that its stack gives it."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.common.telemetry import FunctionTelemetry

PYTHON = lambda_.Runtime.PYTHON_3_14
"""The newest Python that Lambda, CDK and awslambdaric support. A test fails when CDK adds a newer one."""


def function_role(
    scope: Construct, id: str, *, log_group: logs.ILogGroup, rights: Sequence[iam.PolicyStatement] = ()
) -> iam.Role:
    """An execution role with the given rights, and the right to write to this log group.

    CDK's default role has AWSLambdaBasicExecutionRole, which may create and write any log group of the account.
    """
    role = iam.Role(scope, id, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    for right in rights:
        role.add_to_policy(right)
    return role


class PythonFunction(lambda_.Function):
    """A function on the newest Python and Graviton, with a log group of its stack.

    It gets an execution role with `rights`, unless `role` is given: functions with one purpose share a role.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        code: lambda_.Code,
        handler: str,
        description: str,
        log_group: logs.ILogGroup,
        timeout_s: int,
        name: str | None = None,
        rights: Sequence[iam.PolicyStatement] = (),
        role: iam.Role | None = None,
        memory_mib: int = 256,
        environment: Mapping[str, str] | None = None,
        telemetry: FunctionTelemetry,
        failed_events: bool = True,
    ) -> None:
        self.execution_role = role or function_role(scope, f"{id}Role", log_group=log_group, rights=rights)
        super().__init__(
            scope,
            id,
            function_name=name,
            runtime=PYTHON,
            architecture=lambda_.Architecture.ARM_64,
            code=code,
            handler=handler,
            description=description,
            role=self.execution_role,
            log_group=log_group,
            timeout=Duration.seconds(timeout_s),
            memory_size=memory_mib,
            environment=dict(environment) if environment else None,
        )
        telemetry.attach(self, self.execution_role, failed_events=failed_events)
