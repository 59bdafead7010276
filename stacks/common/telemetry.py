"""What functions leave behind: traces, and the events that they could not handle."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.common.iam import allow, traces
from stacks.common.nag import acknowledge

NO_QUEUE = "Serverless-LambdaDLQ"
"""cdk-nag's rule that every function has a dead-letter queue."""


class FunctionTelemetry(Construct):
    """One queue of failed events, and one policy, for the functions of every stack.

    The queue keeps, for two weeks, what was sent asynchronously and failed after Lambda's retries. CloudFormation calls
    custom resources so: such an event is a deploy that waited for an answer in vain. EventBridge and SNS put there what
    they could not deliver.
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
            ours = f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{sources}"
            queue.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sqs:SendMessage"],
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    resources=[queue.queue_arn],
                    conditions={"ArnLike": {"aws:SourceArn": ours}},
                )
            )
        acknowledge(
            queue,
            "It is itself where failed events of every stack end; a queue behind it would only be the next end.",
            "SQS3",
            "Serverless-SQSRedrivePolicy",
        )
        self.queue_arn, self.queue_name = queue.queue_arn, queue.queue_name
        self._trace = iam.ManagedPolicy(self, "Policy", statements=[traces()])
        acknowledge(self._trace, "X-Ray's calls know no resource.", "IAM5[Resource::*]")
        self._send = iam.ManagedPolicy(
            self, "SendFailedEvents", statements=[allow("sqs:SendMessage", on=queue.queue_arn)]
        )

        self.policies = (self._trace, self._send)

    def attach(self, function: lambda_.Function, role: iam.Role, *, failed_events: bool = True) -> None:
        """Let a function, whoever wrote it, send its traces and, unless it answers its caller, its failed events."""
        role.add_managed_policy(self._trace)
        resource = function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101  # what an L2 function is made of
        resource.memory_size = resource.memory_size or 256
        resource.tracing_config = lambda_.CfnFunction.TracingConfigProperty(mode="Active")
        if not failed_events:
            acknowledge(function, "It is called and answers: the caller has the error, and no event is left.", NO_QUEUE)
            return
        role.add_managed_policy(self._send)
        resource.dead_letter_config = lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=self.queue_arn)
