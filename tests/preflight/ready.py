"""An account in which nothing stands in the way of the default deployment."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import boto3

import environments
from ops.preflight.checks import checks
from ops.preflight.finding import Finding
from ops.preflight.identity import sign_in
from ops.preflight.roles import SCALING
from ops.preflight.target import ALL, Target, with_needed
from stacks.settings.parse import load
from tests.preflight.account import ACCOUNT, Account, Json, RefusedCallError

REGION = "eu-west-1"
BUCKET = "kennel-photos"
AMI_PARAMETER = "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.12-ubuntu-24.04/latest/ami-id"

QUOTAS: Mapping[tuple[str, str], tuple[str, float]] = {
    ("codebuild", "Concurrently running builds for Linux/Small environment"): ("L-9D07B6EF", 1),
    ("vpc", "VPCs per Region"): ("L-F678F1CE", 2),
    ("ec2", "Running On-Demand G and VT instances"): ("L-DB2E81BA", 4),
    ("sagemaker", "ml.g4dn.xlarge for notebook instance usage"): ("L-D8B97089", 1),
    ("sagemaker", "ml.g4dn.xlarge for training job usage"): ("L-3F53BF0F", 2),
    ("sagemaker", "ml.m5.large for endpoint usage"): ("L-1E9C780D", 6),
}
"""Exactly what the default settings need."""


def client(account: Account, service: str, region: str = REGION) -> Any:
    """A client for what a test puts into the account."""
    return _client(account.url, service, region)


@functools.cache
def _client(url: str, service: str, region: str) -> Any:
    return boto3.client(service, region_name=region, endpoint_url=url)  # type: ignore[call-overload]


def make_ready(account: Account) -> None:
    """Fill the account with what the default deployment needs."""
    bootstrap(account)
    stack(account, "kennel-storage")
    photos(account)
    client(account, "iam").create_role(RoleName=SCALING, AssumeRolePolicyDocument="{}")
    set_quotas(account, {})
    account.answer("lambda.GetAccountSettings", {"AccountLimit": {"ConcurrentExecutions": 13}})
    no_function = RefusedCallError("ResourceNotFoundException", "Function not found: kennel-api", 404)
    account.refuse("lambda.ListProvisionedConcurrencyConfigs", no_function)
    account.answer("freetier.GetAccountPlanState", {"accountPlanType": "PAID", "accountPlanStatus": "ACTIVE"})
    account.answer("ecr.BatchGetImage", {"images": [{"repositoryName": "pytorch"}], "failures": []})
    parameter = {"Name": AMI_PARAMETER, "Type": "String", "Value": _an_image(account.url)}
    account.answer("ssm.GetParameter", lambda call: {"Parameter": parameter} if call["Name"] == AMI_PARAMETER else None)


@functools.cache
def _an_image(url: str) -> str:
    """One of moto's images, which are the same in every account. Listing them takes a second."""
    found: str = _client(url, "ec2", REGION).describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    return found


def bootstrap(account: Account, version: str = "33") -> None:
    """CDK's bootstrap stack, as far as it is looked at."""
    ssm = client(account, "ssm")
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value=version, Type="String", Overwrite=True)
    s3 = client(account, "s3")
    s3.create_bucket(
        Bucket=f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}", CreateBucketConfiguration={"LocationConstraint": REGION}
    )


def stack(account: Account, name: str, project: str = "kennel", resources: Json | None = None) -> None:
    """A stack of the deployment; the storage stack has its bucket."""
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}}
    template = {
        "Resources": resources or {"Bucket": bucket},
        "Outputs": {} if resources else {"BucketName": {"Value": {"Ref": "Bucket"}}},
    }
    client(account, "cloudformation").create_stack(
        StackName=name, TemplateBody=json.dumps(template), Tags=[{"Key": "project", "Value": project}]
    )


def photos(account: Account, *, leave_out: str = "", bucket: str = BUCKET, region: str = REGION) -> None:
    """One photo of two breeds in each split, without those whose key starts with `leave_out`."""
    s3 = client(account, "s3", region)
    for split in ("train", "valid", "test"):
        for breed in ("Akita", "Beagle"):
            key = f"data/{split}/{breed}/1.jpg"
            if leave_out and key.startswith(leave_out):
                s3.delete_object(Bucket=bucket, Key=key)
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=b"photo")


def set_quotas(account: Account, changed: Mapping[str, float | None]) -> None:
    """The quotas of the account: the ones that the defaults need, with these values changed. None: there is none."""
    quotas = [
        {"ServiceCode": service, "QuotaName": name, "QuotaCode": code, "Value": changed.get(name, value)}
        for (service, name), (code, value) in QUOTAS.items()
        if changed.get(name, value) is not None
    ]
    quotas += [
        {"ServiceCode": "sagemaker", "QuotaName": name, "QuotaCode": f"L-{number:08X}", "Value": value}
        for number, (name, value) in enumerate(changed.items())
        if value is not None and name not in {known for _, known in QUOTAS}
    ]

    def get(call: Json) -> Json:
        for quota in quotas:
            if (quota["ServiceCode"], quota["QuotaCode"]) == (call["ServiceCode"], call["QuotaCode"]):
                return {"Quota": quota}
        raise RefusedCallError(
            "NoSuchResourceException", "The request failed because the specified quota does not exist."
        )

    def listed(call: Json) -> Json:
        """Pages of two."""
        mine = [quota for quota in quotas if quota["ServiceCode"] == call["ServiceCode"]]
        start = int(call.get("NextToken", "0"))
        more = {"NextToken": str(start + 2)} if start + 2 < len(mine) else {}
        return {"Quotas": mine[start : start + 2], **more}

    account.answer("service-quotas.ListRequestedServiceQuotaChangeHistoryByQuota", {"RequestedQuotas": []})
    for operation in ("GetServiceQuota", "GetAWSDefaultServiceQuota"):
        account.answer(f"service-quotas.{operation}", get)
    for operation in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
        account.answer(f"service-quotas.{operation}", listed)


def findings(
    subject: str,
    context: Mapping[str, object] | None = None,
    *,
    stacks: Sequence[str] = (ALL,),
    environment: str = "development",
) -> list[Finding]:
    """What the checks of one subject find, one after the other."""
    chosen = environments.load(environment)
    target = sign_in(chosen, load(chosen, context or {}), with_needed(stacks), context or {})
    assert isinstance(target, Target), target
    return [finding for check in checks(target) if check.subject == subject for finding in check.run(target)]


def only(subject: str, context: Mapping[str, object] | None = None, **options: Any) -> Finding:
    """The one finding of a subject."""
    (finding,) = findings(subject, context, **options)
    return finding
