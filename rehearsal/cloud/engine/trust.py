"""Trust policies: whether a service may assume a role."""

import json

from ministack.core import iam_evaluator


def trusts(policy: object, service: str, account: str, region: str, source: str = "") -> bool:
    """Whether the policy lets a service assume the role.

    The engine's own evaluation lets no service principal match a caller, since none calls it. So the statements that
    name the service are given to it with every caller as the principal; it decides the rest: actions, conditions, and
    that a Deny wins.

    source: the ARN of what the service acts for, `aws:SourceArn`. Its account is `aws:SourceAccount`
        (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
    """
    document = json.loads(policy) if isinstance(policy, str) else policy
    statements = document.get("Statement", []) if isinstance(document, dict) else []
    named = [
        {**each, "Principal": "*"}
        for each in ([statements] if isinstance(statements, dict) else statements)
        if iam_evaluator._service_principal_matches(each.get("Principal"), service) or each.get("Principal") == "*"
    ]
    keys = {"aws:sourceaccount": account}
    if source:
        keys["aws:sourcearn"] = source
    context = iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=account,
        action="sts:AssumeRole",
        resource_arn="*",
        region=region,
        service_context=keys,
    )
    return bool(iam_evaluator.evaluate_trust_policy({"Statement": named}, service, context))
