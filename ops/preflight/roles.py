"""Service-linked roles: AWS makes one at its first use if the deploying role may make it."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error
from ops.preflight.target import Target

SUBJECT = "roles"

SCALING = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
SCALING_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
"""https://docs.aws.amazon.com/autoscaling/application/userguide/services-that-can-integrate-sagemaker.html"""


def checks(target: Target) -> Iterator[Check]:
    if "serving" in target.stacks:
        yield Check(
            subject=SUBJECT,
            title=f"the role {SCALING}",
            needs="iam:GetRole and iam:SimulatePrincipalPolicy",
            find=scaling_role,
        )


def scaling_role(target: Target) -> Iterator[Finding]:
    """The role with which the endpoint is scaled: neither there, nor makeable by the role that CloudFormation uses."""
    iam = target.client("iam")
    try:
        iam.get_role(RoleName=SCALING)
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "NoSuchEntity":
            raise
    else:
        return
    deploys = f"cdk-{target.qualifier}-cfn-exec-role-{target.account}-{target.region}"
    account = f"arn:{target.partition}:iam::{target.account}"
    try:
        decided = iam.simulate_principal_policy(
            PolicySourceArn=f"{account}:role/{deploys}",
            ActionNames=["iam:CreateServiceLinkedRole"],
            ResourceArns=[f"{account}:role/aws-service-role/{SCALING_SERVICE}/{SCALING}"],
            ContextEntries=[
                {
                    "ContextKeyName": "iam:AWSServiceName",
                    "ContextKeyType": "string",
                    "ContextKeyValues": [SCALING_SERVICE],
                }
            ],
        )["EvaluationResults"]
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] == "NoSuchEntity":
            return  # not bootstrapped, which is a finding of its own
        raise
    if any(result["EvalDecision"] != "allowed" for result in decided):
        yield error(
            SUBJECT,
            f"There is no role {SCALING}, which scales the endpoint, and {deploys} may not make it.",
            f"aws iam create-service-linked-role --aws-service-name {SCALING_SERVICE}",
        )
