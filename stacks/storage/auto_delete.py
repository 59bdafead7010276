"""CDK's emptying of a bucket before it is deleted, with rights and logs of its own."""

from typing import cast

from aws_cdk import CfnResource, Stack
from constructs import Construct

from stacks.common.log_group import OwnedLogGroup


class TidyAutoDelete(Construct):
    """Gives the function behind `auto_delete_objects` a log group that goes with the stack, and nothing wider.

    CDK's own setting leaves its log group in the account for ever, and a managed policy for every log group on it.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        log_group = OwnedLogGroup(self, "Logs", retention_days=30)
        provider = Stack.of(self).node.find_child("Custom::S3AutoDeleteObjectsCustomResourceProvider")
        role = cast(CfnResource, provider.node.find_child("Role"))
        role.add_property_deletion_override("ManagedPolicyArns")
        statement = {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": log_group.log_group_arn,
        }
        role.add_property_override(
            "Policies",
            [{"PolicyName": "Logs", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}],
        )
        function = cast(CfnResource, provider.node.find_child("Handler"))
        function.add_property_override("LoggingConfig", {"LogGroup": log_group.log_group_name})
