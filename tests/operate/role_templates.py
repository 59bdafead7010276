"""Templates with one role, for an audit."""

import copy
from typing import Any

from ops.audit.roles import Role, roles

Json = dict[str, Any]

LAMBDA: Json = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
LOGS: Json = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":logs:*:*:log-group:/kennel/api:*"]]},
}


def template(*statements: Json, trust: Json = LAMBDA, **properties: Any) -> Json:
    """A role that has these statements in a policy of its own, and the right to write to one log group."""
    role = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}, **properties}
    policy = {
        "PolicyName": "Rights",
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [LOGS, *statements]},
        "Roles": [{"Ref": "Role"}],
    }
    return copy.deepcopy(
        {
            "Resources": {
                "Role": {"Type": "AWS::IAM::Role", "Properties": role},
                "Policy": {"Type": "AWS::IAM::Policy", "Properties": policy},
            }
        }
    )


def role(*statements: Json, trust: Json = LAMBDA, **properties: Any) -> Role:
    """The role of that template, in the stack Api."""
    (found,) = roles({"Api": template(*statements, trust=trust, **properties)})
    return found
