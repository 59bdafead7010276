"""What the engine leaves out of the calls that it decides: the form of a log's ARN, and a condition key of CloudWatch.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
"""

import json
from collections.abc import Mapping
from typing import Any

import cbor2
from ministack.core import iam_actions

_TAGS = ("TagResource", "UntagResource", "ListTagsForResource")


def complete_calls() -> None:
    """Let the engine decide calls to CloudWatch and its logs by the ARNs and keys that AWS uses.

    And let it name the resource in its refusals.
    """
    _name_resources()
    resource_of, context_of = iam_actions.extract_resource_arn, iam_actions.request_tag_context

    def resource(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query: Mapping[str, Any],
        region: str,
        account_id: str,
    ) -> str:
        found = str(resource_of(service, method, path, headers, body, query, region, account_id))
        if service == "logs" and not headers.get("x-amz-target", "").endswith(_TAGS):
            return log_arn(found, body)
        if service == "monitoring" and (name := described_alarm(headers, path, body, query)):
            return f"arn:aws:cloudwatch:{region}:{account_id}:alarm:{name}"
        return found

    def context(service: str, iam_action: str, body: bytes, params: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = context_of(service, iam_action, body, params)
        if iam_action == "cloudwatch:PutMetricData":
            found["cloudwatch:namespace"] = metric_namespace(body, params)
        return found

    iam_actions.extract_resource_arn, iam_actions.request_tag_context = resource, context


def _name_resources() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html."""
    refuse = iam_actions.access_denied_response

    def named(service: str, action: str, principal_arn: str, request_id: str, **more: Any) -> Any:
        by_resource_policy = more.get("explicit_deny") and more.get("resource_policy_arn")
        if not more.get("error_code") and not more.get("message") and not by_resource_policy:
            more["message"] = iam_actions.identity_denial_message(
                action, principal_arn, more.get("resource_arn", "*"), bool(more.get("explicit_deny"))
            )
        return refuse(service, action, principal_arn, request_id, **more)

    iam_actions.access_denied_response = named


def log_arn(group: str, body: bytes) -> str:
    """The ARN by which AWS decides a call about a log group or one of its streams: it ends with the stream's name."""
    if ":log-group:" not in group or ":log-stream:" in group:
        return group
    parameters = json.loads(body or b"{}")
    return f"{group}:log-stream:{parameters.get('logStreamName', '')}"


def described_alarm(headers: Mapping[str, str], path: str, body: bytes, params: Mapping[str, Any]) -> str:
    """The one alarm that a DescribeAlarms names, in each of CloudWatch's three protocols; "" for another call.

    The engine takes "*" for it, and a role that may describe this alarm alone would be refused.
    """
    given = params.get("Action", "")
    action = given[0] if isinstance(given, list) else given
    operation = headers.get("x-amz-target", "").rpartition(".")[2] or action or path.rpartition("/")[2]
    if operation != "DescribeAlarms":
        return ""
    if body[:1] == b"{":
        names = json.loads(body).get("AlarmNames", [])
    elif action:
        names = [value for key, value in params.items() if key.startswith("AlarmNames.member.")]
        names = [name[0] if isinstance(name, list) else name for name in names]
    else:
        names = cbor2.loads(body).get("AlarmNames", []) if body else []
    return str(names[0]) if len(names) == 1 else ""


def metric_namespace(body: bytes, params: Mapping[str, Any]) -> str:
    """The Namespace of a PutMetricData, in each of CloudWatch's three protocols."""
    if body[:1] == b"{":
        return str(json.loads(body).get("Namespace", ""))
    given = params.get("Namespace")
    if given:
        return str(given[0] if isinstance(given, list) else given)
    try:
        return str(cbor2.loads(body).get("Namespace", ""))
    except (cbor2.CBORDecodeError, AttributeError):
        return ""
