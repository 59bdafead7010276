"""The topic that every alert goes to."""

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.common.telemetry import FunctionTelemetry

PUBLISHERS = {
    # service: the ARNs, of this account, on whose behalf it may publish. EventBridge tells neither key nor topic for
    # whom it asks; with a condition on that, its alerts would be dropped without a word:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    "cloudwatch.amazonaws.com": f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:*",
    "budgets.amazonaws.com": f"arn:{Aws.PARTITION}:budgets::{Aws.ACCOUNT_ID}:*",
    "events.amazonaws.com": "",
}


class AlertTopic(Construct):
    """Encrypted, TLS only, open to three services of AWS. Deleting it ends the mails.

    The key is our own: with the key that AWS manages for SNS, alarms and budgets may not publish, and say so nowhere.
    """

    def __init__(self, scope: Construct, id: str, *, telemetry: FunctionTelemetry, email: str) -> None:
        super().__init__(scope, id)
        key = kms.Key(
            self,
            "Key",
            description="Kennel's alerts",
            enable_key_rotation=True,
            pending_window=Duration.days(7),  # the shortest; a key that waits for its end is not billed
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.topic = sns.Topic(self, "Topic", display_name="Kennel", master_key=key, enforce_ssl=True)
        for service, sources in PUBLISHERS.items():
            principal = iam.ServicePrincipal(service)
            ours = {
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": sources},
            }
            conditions = ours if sources else None
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
