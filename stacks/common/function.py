"""A Lambda function whose every right is written down."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.common.telemetry import FunctionTelemetry

PYTHON = lambda_.Runtime.PYTHON_3_14
"""The newest Python that Lambda, this CDK and awslambdaric all have; a test fails when CDK gets a newer one."""


def function_role(
    scope: Construct, id: str, *, log_group: logs.ILogGroup, rights: Sequence[iam.PolicyStatement] = ()
) -> iam.Role:
    """A role for a function: it writes to this log group, and has no other right than those given.

    CDK's own role would carry AWSLambdaBasicExecutionRole, which may create and write any log group of the account.
    """
    role = iam.Role(scope, id, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    for right in rights:
        role.add_to_policy(right)
    return role


class PythonFunction(lambda_.Function):
    """boto3 on the newest Python and Graviton, with a log group that goes when it goes.

    It runs under a role of its own that has these rights, or under one that functions of one purpose share.
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
