"""Where an event goes that a function could not handle; and the settings that functions of others' making lack."""

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.policy import allow


class DeadLetters(sqs.Queue):
    """Keeps, for two weeks, what a stack's functions were sent asynchronously and failed on after Lambda's retries.

    CloudFormation calls custom resources so: an event that ends here is a deploy that waited for an answer in vain.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(
            scope,
            id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )

    @property
    def right(self) -> iam.PolicyStatement:
        """Lambda sends in the name of the function's role."""
        return allow("sqs:SendMessage", on=self.queue_arn)


def complete(function: lambda_.CfnFunction, dead_letters: DeadLetters, *, memory_mib: int = 256) -> None:
    """Give a function that CDK or a library wrote what ours have. Its role needs the rights for both."""
    function.memory_size = memory_mib
    function.tracing_config = lambda_.CfnFunction.TracingConfigProperty(mode="Active")
    function.dead_letter_config = lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=dead_letters.queue_arn)
