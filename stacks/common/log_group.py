"""A log group that keeps its lines so many days, and goes when its stack goes."""

from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


class OwnedLogGroup(logs.LogGroup):
    """Made by the stack, not by the service that writes to it: that one would keep it for ever, after the stack too."""

    def __init__(self, scope: Construct, id: str, *, retention_days: int, name: str | None = None) -> None:
        super().__init__(scope, id, log_group_name=name, removal_policy=RemovalPolicy.DESTROY)
        # CDK's own argument is an enumeration of names; the settings speak in days
        cast(logs.CfnLogGroup, self.node.default_child).retention_in_days = retention_days
