"""CDK's bootstrap stack: its version, its bucket for assets, and that bucket's key."""

import json
from collections.abc import Iterator

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error
from ops.preflight.key_policy import decrypters
from ops.preflight.target import Target

SUBJECT = "bootstrap"

LEAST_VERSION = 6
"""What the templates require (the rule CheckBootstrapVersion of each)."""
AWS_MANAGED = "alias/aws/s3"
ASSET_READERS = ("the training job", "the image build", "the training host", "the notebook")
"""Whose roles read assets at run time."""


def checks() -> Iterator[Check]:
    yield Check(subject=SUBJECT, title="the version of CDK's bootstrap stack", needs="ssm:GetParameter", find=version)
    yield Check(subject=SUBJECT, title="CDK's bucket for assets", needs="s3:ListBucket", find=asset_bucket)
    yield Check(
        subject=SUBJECT,
        title="the key of CDK's bucket for assets",
        needs="s3:GetEncryptionConfiguration, kms:DescribeKey and kms:GetKeyPolicy",
        find=asset_key,
    )


def version(target: Target) -> Iterator[Finding]:
    """A region without the bootstrap stack, or with an old one."""
    found = _version(target)
    if found is None:
        yield error(
            SUBJECT,
            f"{target.account} is not bootstrapped for CDK in {target.region}: there is no SSM parameter "
            f"{_parameter(target)}.",
            f"make bootstrap{target.env_option}",
        )
    elif not found.isdigit() or int(found) < LEAST_VERSION:
        yield error(
            SUBJECT,
            f"CDK's bootstrap stack in {target.region} has the version {found}; the templates need {LEAST_VERSION}.",
            f"make bootstrap{target.env_option}",
        )


def asset_bucket(target: Target) -> Iterator[Finding]:
    """A bucket that was deleted by hand: the bootstrap stack, and its version, are still there."""
    bucket = bucket_name(target)
    try:
        target.client("s3").head_bucket(Bucket=bucket)
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        if _version(target) is None:  # never bootstrapped, which is a finding of its own
            return
        yield error(
            SUBJECT,
            f"CDK's bucket for assets, {bucket}, does not exist.",
            f"If there is a stack CDKToolkit, delete it first; then make bootstrap{target.env_option}",
        )


def asset_key(target: Target) -> Iterator[Finding]:
    """A customer-managed key that leaves decryption to the callers' own policies.

    The roles that read assets at run time have no kms:Decrypt. AWS's own key needs none, nor does the key that CDK
    makes: its policy lets every principal of the account decrypt through S3.
    """
    try:
        rules = target.client("s3").get_bucket_encryption(Bucket=bucket_name(target))
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] in ("ServerSideEncryptionConfigurationNotFoundError", "NoSuchBucket"):
            return
        raise
    default = rules["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    key = default.get("KMSMasterKeyID", "")
    if not default["SSEAlgorithm"].startswith("aws:kms") or not key or key.endswith(AWS_MANAGED):
        return
    kms = target.client("kms")
    described = kms.describe_key(KeyId=key)["KeyMetadata"]
    if described["KeyManager"] == "AWS":
        return
    if "*" in decrypters(kms, described["KeyId"]):
        return
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:CallerAccount": target.account,
                "kms:ViaService": f"s3.{target.region}.amazonaws.com",
            }
        },
    }
    yield error(
        SUBJECT,
        f"CDK's bucket for assets is encrypted with {described['Arn']}, which the roles of {', '.join(ASSET_READERS)} "
        "may not use.",
        f"Add this statement to the key's policy (aws kms put-key-policy): {json.dumps(statement)}",
    )


def _parameter(target: Target) -> str:
    return f"/cdk-bootstrap/{target.qualifier}/version"


def _version(target: Target) -> str | None:
    """The version of the bootstrap stack; None if the region has none."""
    try:
        found: str = target.client("ssm").get_parameter(Name=_parameter(target))["Parameter"]["Value"]
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return None
    return found


def bucket_name(target: Target) -> str:
    """The bucket of the bootstrap stack. CDK's synthesizer writes the same name into the templates."""
    return f"cdk-{target.qualifier}-assets-{target.account}-{target.region}"
