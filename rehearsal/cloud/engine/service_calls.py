"""Calls that a service makes by itself: decided as the role, or as the service principal, that AWS makes them with.

The engine makes them inside its process and does not ask IAM. A call that is denied is not made, and what the caller
of the service sees is what AWS shows then.
"""

import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

from ministack.services import apigateway, cloudwatch, eventbridge, lambda_svc, sns, stepfunctions

from rehearsal.cloud.api import AwsError, Credentials

ACTIONS = {"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage", "sns": "sns:Publish"}
ACTIONS |= {"states": "states:StartExecution"}
"""What a service does with a target, by the target's service."""


class _Engine(Protocol):
    account: str
    region: str

    def credentials(self, role_arn: str, session: str, service: str, *, source: str = "") -> Credentials: ...
    def check(self, credentials: Credentials, action: str, resource: str, **context: str) -> None: ...
    def check_service(self, service: str, action: str, resource: str, source: str) -> None: ...


def decide_service_calls(engine: _Engine) -> None:
    """Let IAM decide the calls of Step Functions, Scheduler, EventBridge, SNS, CloudWatch, API Gateway and Lambda."""
    _state_machines(engine)
    _schedules_and_rules(engine)
    _topics(engine)
    _alarms(engine)
    _http_apis(engine)
    _failed_events(engine)


def _state_machines(engine: _Engine) -> None:
    """A task is the role's call: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html.

    One that is denied ends with States.Permissions
    (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html).
    """
    run, invoke = stepfunctions._run_execution, stepfunctions._call_lambda
    running: ContextVar[str] = ContextVar("running", default="")

    def run_execution(execution: str) -> None:
        running.set(execution)
        run(execution)

    def invoke_as_role(function: str, event: Any) -> Any:
        machine = stepfunctions._executions[running.get()]["stateMachineArn"]
        role = stepfunctions._state_machines[machine]["roleArn"]
        arn = function if function.startswith("arn:") else _function_arn(engine, function)
        try:
            credentials = engine.credentials(role, running.get()[-32:], "states.amazonaws.com", source=machine)
            engine.check(credentials, "lambda:InvokeFunction", arn)
        except AwsError as error:
            raise stepfunctions._ExecutionError("States.Permissions", str(error)) from error
        return invoke(function, event)

    stepfunctions._run_execution, stepfunctions._call_lambda = run_execution, invoke_as_role


def _schedules_and_rules(engine: _Engine) -> None:
    """A schedule uses its role; a rule uses its target's role, or is named in the target's own policy.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    invoke = eventbridge._invoke_target

    def decided(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        arn, role, source = target["Arn"], target.get("RoleArn"), rule.get("Arn", "")
        schedule = event.get("Source") == "aws.scheduler"
        service = "scheduler.amazonaws.com" if schedule else "events.amazonaws.com"
        if schedule:  # it acts for the group
            source = source.replace(":schedule/", ":schedule-group/").rpartition("/")[0]
        action = ACTIONS.get(arn.split(":")[2])

        def check() -> None:
            if action and role:
                engine.check(engine.credentials(role, _session(source), service, source=source), action, arn)
            elif action == "sns:Publish":
                _publish(engine, service, arn, source)
            elif action:
                engine.check_service(service, action, arn, source)

        if _allowed(check, f"{source} does not reach {arn}"):
            invoke(target, event, rule, view)

    eventbridge._invoke_target = decided


def _topics(engine: _Engine) -> None:
    """A topic invokes a function that lets it: https://docs.aws.amazon.com/sns/latest/dg/sns-lambda-as-subscriber.html.

    The engine itself decides what a topic sends to a queue.
    """
    deliver = sns._deliver_to_lambda

    def decided(endpoint: str, envelope: str, topic_arn: str, *rest: Any) -> None:
        def check() -> None:
            engine.check_service("sns.amazonaws.com", "lambda:InvokeFunction", endpoint, topic_arn)

        if _allowed(check, f"{topic_arn} does not reach {endpoint}"):
            deliver(endpoint, envelope, topic_arn, *rest)

    sns._deliver_to_lambda = decided


def _alarms(engine: _Engine) -> None:
    """An alarm publishes to a topic whose policy lets it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    dispatch = cloudwatch._dispatch_alarm_actions

    def decided(alarm: dict[str, Any], old_state: str, new_state: str, reason: str) -> None:
        source = alarm.get("AlarmArn", "")

        def allowed(topic: str) -> bool:
            def check() -> None:
                if topic.split(":")[2] == "sns":
                    _publish(engine, "cloudwatch.amazonaws.com", topic, source)

            return _allowed(check, f"{source} does not reach {topic}")

        field = {"ALARM": "AlarmActions", "OK": "OKActions"}.get(new_state, "InsufficientDataActions")
        dispatch({**alarm, field: list(filter(allowed, alarm.get(field) or []))}, old_state, new_state, reason)

    cloudwatch._dispatch_alarm_actions = decided


def _publish(engine: _Engine, service: str, topic: str, source: str) -> None:
    """A topic with a key of the account's own needs that key's policy, too.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    """
    engine.check_service(service, "sns:Publish", topic, source)
    key = (sns._topic_by_arn_any_scope(topic) or {}).get("attributes", {}).get("KmsMasterKeyId", "")
    if key and not key.startswith("alias/"):
        arn = key if key.startswith("arn:") else f"arn:aws:kms:{engine.region}:{engine.account}:key/{key}"
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            engine.check_service(service, action, arn, source)


def _http_apis(engine: _Engine) -> None:
    """An HTTP API whose function does not let it answers 500.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
    """
    invoke = apigateway._invoke_lambda_proxy

    async def decided(integration: dict[str, Any], api_id: str, stage: str, *rest: Any, **named: Any) -> Any:
        route = rest[5] if len(rest) > 5 else named.get("route_key", "$default")
        source = f"arn:aws:execute-api:{engine.region}:{engine.account}:{api_id}/{stage}/{route.replace(' ', '')}"
        uri = integration.get("integrationUri", "")
        arn = uri.partition("/functions/")[2].removesuffix("/invocations") or uri

        def check() -> None:
            engine.check_service("apigateway.amazonaws.com", "lambda:InvokeFunction", arn, source)

        if _allowed(check, f"{source} does not reach {arn}"):
            return await invoke(integration, api_id, stage, *rest, **named)
        return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'

    apigateway._invoke_lambda_proxy = decided


def _failed_events(engine: _Engine) -> None:
    """A function's role sends its failed events: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
    route = lambda_svc._route_async_failure

    def decided(target: str, function: str, event: Any, result: Any) -> None:
        role = lambda_svc._functions[function]["config"]["Role"]

        def check() -> None:
            credentials = engine.credentials(role, function, "lambda.amazonaws.com")
            engine.check(credentials, ACTIONS[target.split(":")[2]], target)

        if _allowed(check, f"the failed events of {function} do not reach {target}"):
            route(target, function, event, result)

    lambda_svc._route_async_failure = decided


def _allowed(check: Callable[[], None], otherwise: str) -> bool:
    try:
        check()
    except AwsError as error:
        print(json.dumps({"denied": otherwise, "reason": str(error)}), flush=True)
        return False
    return True


def _function_arn(engine: _Engine, name: str) -> str:
    return f"arn:aws:lambda:{engine.region}:{engine.account}:function:{name}"


def _session(source: str) -> str:
    return source.rpartition("/")[2][:64] or "session"
