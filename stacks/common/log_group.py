"""A log group with a retention time that is deleted with its stack."""

from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


class OwnedLogGroup(logs.LogGroup):
    """A log group that the stack owns. If the service created it, it would stay after the stack, and keep all logs."""

    def __init__(self, scope: Construct, id: str, *, retention_days: int, name: str | None = None) -> None:
        super().__init__(scope, id, log_group_name=name, removal_policy=RemovalPolicy.DESTROY)
        # CDK's argument is an enum; the settings are in days
        cast(logs.CfnLogGroup, self.node.default_child).retention_in_days = retention_days
