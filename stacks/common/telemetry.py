"""Tracing and the dead-letter queue that the functions of all stacks share."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.common.iam import allow, send_traces
from stacks.common.nag import acknowledge

NO_QUEUE = "Serverless-LambdaDLQ"
"""cdk-nag's rule that every function has a dead-letter queue."""


class FunctionTelemetry(Construct):
    """One dead-letter queue, and the policies to use it and X-Ray, for the functions of every stack.

    The queue keeps asynchronous events that failed after Lambda's retries, and what EventBridge and SNS could not
    deliver, for two weeks; deleting it deletes them. Custom-resource events arrive here too: each one means that a
    deploy timed out waiting for a response.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        queue = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        for service, sources in {"events": "rule/*", "sns": "*"}.items():
            sender = f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{sources}"
            queue.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sqs:SendMessage"],
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    resources=[queue.queue_arn],
                    conditions={"ArnLike": {"aws:SourceArn": sender}},
                )
            )
        acknowledge(
            queue,
            "This is the dead-letter queue of every stack; a dead-letter queue has no dead-letter queue of its own.",
            "SQS3",
            "Serverless-SQSRedrivePolicy",
        )
        self.queue_arn, self.queue_name = queue.queue_arn, queue.queue_name
        self._trace = iam.ManagedPolicy(self, "Policy", statements=[send_traces()])
        acknowledge(self._trace, "IAM defines no resource type for sending X-Ray traces.", "IAM5[Resource::*]")
        self._send = iam.ManagedPolicy(
            self, "SendFailedEvents", statements=[allow("sqs:SendMessage", on=queue.queue_arn)]
        )

        self.policies = (self._trace, self._send)

    def attach(self, function: lambda_.Function, role: iam.Role, *, failed_events: bool = True) -> None:
        """Turn tracing on and, for a function that is invoked asynchronously, the dead-letter queue."""
        role.add_managed_policy(self._trace)
        resource = function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101  # an L2 function wraps it
        resource.memory_size = resource.memory_size or 256
        resource.tracing_config = lambda_.CfnFunction.TracingConfigProperty(mode="Active")
        if not failed_events:
            acknowledge(
                function,
                "The function is invoked synchronously: the caller gets the error, and no event is left over.",
                NO_QUEUE,
            )
            return
        role.add_managed_policy(self._send)
        resource.dead_letter_config = lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=self.queue_arn)
