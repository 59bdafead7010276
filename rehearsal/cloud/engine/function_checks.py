"""What Lambda checks when a function is created or changed: that its role has the rights that its configuration needs.

Lambda refuses a function whose role it cannot assume, and one whose role may not send to its dead-letter queue or may
not send traces (InvalidParameterValueException of
https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html).
"""

from collections.abc import Iterator
from typing import Any, Protocol

from ministack.services.cloudformation import provisioners

from rehearsal.cloud.api import AwsError, Credentials, Json

TYPE = "AWS::Lambda::Function"


class _Engine(Protocol):
    def credentials(self, role_arn: str, session: str, service: str, *, source: str = "") -> Credentials: ...
    def check(self, credentials: Credentials, action: str, resource: str, **context: str) -> None: ...


def check_functions(engine: _Engine) -> None:
    """Check the functions that CloudFormation creates and changes."""
    handlers = provisioners._RESOURCE_HANDLERS[TYPE]
    create, update = handlers["create"], handlers["update"]

    def checked_create(logical_id: str, properties: Json, *rest: Any, **named: Any) -> Any:
        _check(engine, properties)
        return create(logical_id, properties, *rest, **named)

    def checked_update(physical_id: str, old: Json, new: Json, *rest: Any, **named: Any) -> Any:
        _check(engine, new)
        return update(physical_id, old, new, *rest, **named)

    provisioners._RESOURCE_HANDLERS[TYPE] = {**handlers, "create": checked_create, "update": checked_update}


def _check(engine: _Engine, properties: Json) -> None:
    try:
        credentials = engine.credentials(properties["Role"], "awslambda", "lambda.amazonaws.com")
    except AwsError as error:
        sentence = "The role defined for the function cannot be assumed by Lambda."
        raise AwsError("InvalidParameterValueException", sentence) from error
    for action, resource, sentence in _needs(properties):
        try:
            engine.check(credentials, action, resource)
        except AwsError as error:
            message = f"The provided execution role does not have permissions to call {sentence}"
            raise AwsError("InvalidParameterValueException", message) from error


def _needs(properties: Json) -> Iterator[tuple[str, str, str]]:
    """Action, resource, and how Lambda's sentence ends."""
    letters = properties.get("DeadLetterConfig", {}).get("TargetArn", "")
    if ":sqs:" in letters:
        yield "sqs:SendMessage", letters, "SendMessage on SQS"
    if ":sns:" in letters:
        yield "sns:Publish", letters, "Publish on SNS"
    if properties.get("TracingConfig", {}).get("Mode") == "Active":
        yield "xray:PutTraceSegments", "*", "PutTraceSegments on XRAY"
