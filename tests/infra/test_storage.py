"""The bucket: access, encryption, versions and deletion."""

import pytest

from contract.weights import PREFIX
from tests.infra.conftest import Assembly, Synthesise
from tests.infra.iam import on_the_bucket

BUCKET_ID = "Bucket83908E77"


def test_there_is_one_bucket(development: Assembly) -> None:
    assert [logical_id for _, logical_id, _ in development.resources("AWS::S3::Bucket")] == [BUCKET_ID]


def test_the_buckets_logical_id_is_the_same_in_both_environments(development: Assembly, production: Assembly) -> None:
    """With another logical id the next deploy would delete the bucket with its photos."""
    assert BUCKET_ID in development.raw("Storage")["Resources"]
    assert BUCKET_ID in production.raw("Storage")["Resources"]


def test_the_bucket_is_unnamed(development: Assembly) -> None:
    assert "BucketName" not in development.only("AWS::S3::Bucket")


def test_nothing_is_public(development: Assembly) -> None:
    assert development.only("AWS::S3::Bucket")["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }


def test_everything_is_encrypted_and_versioned(development: Assembly) -> None:
    bucket = development.only("AWS::S3::Bucket")
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_plain_http_is_denied(development: Assembly) -> None:
    statements = development.only("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    denied = [statement for statement in statements if statement["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [statement["Condition"] for statement in denied]
    assert all(statement["Principal"] == {"AWS": "*"} and statement["Action"] == "s3:*" for statement in denied)


def test_old_versions_and_unfinished_uploads_expire(development: Assembly) -> None:
    rules = development.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    (rule,) = [rule for rule in rules if "Prefix" not in rule]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


KEPT = {
    "training/artifacts/": "S3 cannot tell the artifact that is served from the others",
    "training/workbench/": "a person saved it there",
}


@pytest.mark.parametrize("environment", ["development", "production"])
def test_what_a_role_may_write_expires_but_for_artifacts_and_what_a_person_saved(
    request: pytest.FixtureRequest, environment: str
) -> None:
    assembly: Assembly = request.getfixturevalue(environment)
    written = {prefix for _, action, prefix in on_the_bucket(assembly) if action == "s3:PutObject"}
    rules = assembly.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    ends = {f"{rule['Prefix']}*": rule for rule in rules if "ExpirationInDays" in rule}
    assert written == ends.keys() | {f"{prefix}*" for prefix in KEPT}
    assert f"{PREFIX}*" not in written  # people write there, and no role of the stacks
    for rule in ends.values():
        # the bucket is versioned: without this an expired or replaced object stays as a noncurrent version
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
        assert rule["Status"] == "Enabled"


def test_captures_expire_too_where_they_are_written(synthesise: Synthesise) -> None:
    assembly = synthesise(("serving.capture.percent", 10))
    rules = assembly.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    ends = {f"{rule['Prefix']}*" for rule in rules if "ExpirationInDays" in rule}
    written = {prefix for _, action, prefix in on_the_bucket(assembly) if action == "s3:PutObject"}
    assert written - ends == {f"{prefix}*" for prefix in KEPT}
    assert "capture/*" in ends


def test_no_rule_deletes_the_photos_the_weights_or_an_artifact(synthesise: Synthesise) -> None:
    """A rule without a prefix, or with a shorter one, would delete the artifact that the endpoint downloads."""
    assembly = synthesise(("serving.capture.percent", 10))
    rules = assembly.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    for rule in rules:
        expires = "ExpirationInDays" in rule or "ExpirationDate" in rule
        for prefix in ("data/", PREFIX, *KEPT):
            assert not (expires and prefix.startswith(rule.get("Prefix", ""))), rule


@pytest.mark.parametrize(
    ("environment", "policy", "emptied"), [("development", "Delete", 1), ("production", "Retain", 0)]
)
def test_development_empties_and_deletes_what_production_retains(
    request: pytest.FixtureRequest, environment: str, policy: str, emptied: int
) -> None:
    assembly: Assembly = request.getfixturevalue(environment)
    ((_, _, bucket),) = assembly.resources("AWS::S3::Bucket")
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == (policy, policy)
    assert len(list(assembly.resources("Custom::S3AutoDeleteObjects"))) == emptied
