"""Rights and a log group for CDK's function that empties the bucket before its deletion."""

from typing import cast

from aws_cdk import CfnResource, Stack
from constructs import Construct

from stacks.common.log_group import OwnedLogGroup


class ScopedAutoDelete(Construct):
    """Gives the function behind `auto_delete_objects` a log group of this stack, and the right to write to that alone.

    By default its log group stays in the account after the stack, and its managed policy covers every log group.
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
