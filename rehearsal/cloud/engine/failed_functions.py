"""A custom resource whose function ends with an error fails at once: no answer will come.

On AWS the function is invoked twice more, and CloudFormation then waits for an hour, or for the ServiceTimeout. What
one error shows is enough here. Source:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html
"""

from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource

from rehearsal.cloud.api import Json


def fail_with_their_functions() -> None:
    """Answer for a function that ends with an error before it has answered."""
    run = lambda_svc._execute_function_with_config_scope

    def observed(function: Json, event: Any) -> Json:
        found: Json = run(function, event)
        name = function["config"]["FunctionName"]
        if found.get("error") and isinstance(event, dict) and _answers(name, event):
            _fail(event, name, found.get("body"))
        return found

    lambda_svc._execute_function_with_config_scope = observed


def _answers(function: str, event: Json) -> bool:
    """Whether CloudFormation invoked this function. CDK's provider framework gives the same event to its function that
    asks whether a resource is complete, and that one ends with an error for "not yet"."""
    token = str((event.get("ResourceProperties") or {}).get("ServiceToken", ""))
    return "ResponseURL" in event and function in token.split(":")


def _fail(event: Json, function: str, error: Any) -> None:
    token = event["ResponseURL"].rpartition("/")[2]
    waiting = custom_resource._pending.get(token)
    if waiting is None or waiting["result"] is not None:
        return  # it answered before it failed
    message = error.get("errorMessage", error) if isinstance(error, dict) else error
    reason = f"The function {function} ended with an error and gave no answer: {message}"
    custom_resource.deliver_response(token, {"Status": "FAILED", "Reason": reason})
