"""The bucket: access, encryption, versions and deletion."""

import pytest

from tests.infra.conftest import Assembly

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
    (rule,) = development.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


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
