"""The SNS topic that all alerts go to."""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.common.telemetry import FunctionTelemetry

PUBLISHERS = {
    # service: the source ARNs, in this account, for which it may publish. EventBridge sends no source ARN or account
    # to the key and the topic; with a condition on them, its events would be dropped silently:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    "cloudwatch.amazonaws.com": f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:*",
    "budgets.amazonaws.com": f"arn:{Aws.PARTITION}:budgets::{Aws.ACCOUNT_ID}:*",
    "events.amazonaws.com": "",
}


class AlertTopic(Construct):
    """An encrypted topic, TLS only, to which three AWS services may publish. Deleting it ends all e-mails.

    The key is customer-managed: with the AWS-managed key for SNS, alarms and budgets fail to publish, without an error.
    """

    def __init__(self, scope: Construct, id: str, *, telemetry: FunctionTelemetry, email: str) -> None:
        super().__init__(scope, id)
        key = kms.Key(
            self,
            "Key",
            description="Kennel's alerts",
            enable_key_rotation=True,
            pending_window=Duration.days(7),  # the minimum; a key that is pending deletion is not billed
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.topic = sns.Topic(self, "Topic", display_name="Kennel", master_key=key, enforce_ssl=True)
        for service, sources in PUBLISHERS.items():
            principal = iam.ServicePrincipal(service)
            this_account = {
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": sources},
            }
            conditions = this_account if sources else None
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sns:Publish"],
                    principals=[principal],
                    resources=[self.topic.topic_arn],
                    conditions=conditions,
                )
            )
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    principals=[principal],
                    resources=["*"],
                    conditions=conditions,
                )
            )
        if email:
            sns.CfnSubscription(
                self,
                "Email",
                topic_arn=self.topic.topic_arn,
                protocol="email",
                endpoint=email,
                redrive_policy={"deadLetterTargetArn": telemetry.queue_arn},
            )

    @property
    def action(self) -> cloudwatch.IAlarmAction:
        return actions.SnsAction(self.topic)
