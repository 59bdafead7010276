"""CDK's bootstrap stack."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.preflight.account import ACCOUNT, Account, RefusedCallError
from tests.preflight.ready import REGION, bootstrap, client, findings, only

ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"


def test_a_region_that_was_never_bootstrapped(empty_account: Account) -> None:
    finding = only("bootstrap", stacks=["Storage"])

    assert "there is no SSM parameter /cdk-bootstrap/hnb659fds/version" in finding.summary
    assert finding.remedy == "make bootstrap"


def test_the_remedy_names_the_environment(empty_account: Account) -> None:
    finding = only("bootstrap", stacks=["Storage"], environment="production")

    assert finding.remedy == "make bootstrap ENV=production"


@pytest.mark.parametrize(("version", "severities"), [("5", ["error"]), ("6", []), ("33", [])])
def test_the_templates_need_version_6(empty_account: Account, version: str, severities: list[str]) -> None:
    bootstrap(empty_account, version)

    assert [finding.severity for finding in findings("bootstrap")] == severities


def test_a_bucket_that_was_deleted_by_hand(account: Account) -> None:
    client(account, "s3").delete_bucket(Bucket=ASSETS)

    finding = only("bootstrap")

    assert finding.severity == "error"
    assert f"{ASSETS}, does not exist" in finding.summary
    assert "delete it first; then make bootstrap" in finding.remedy


def test_another_qualifier_is_another_bootstrap_stack(account: Account) -> None:
    finding = only("bootstrap", {"@aws-cdk/core:bootstrapQualifier": "mine"})

    assert "/cdk-bootstrap/mine/version" in finding.summary


def test_the_qualifier_of_cdk_json_is_the_one_that_the_templates_get(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cdk.json"
    file.write_text(json.dumps({"context": {"@aws-cdk/core:bootstrapQualifier": "mine"}}))
    monkeypatch.setattr("ops.preflight.target.CDK_JSON", file)

    assert "/cdk-bootstrap/mine/version" in only("bootstrap").summary
    assert findings("bootstrap", {"@aws-cdk/core:bootstrapQualifier": "hnb659fds"}) == []


def encrypted_with(account: Account, statement: dict[str, Any]) -> str:
    """The assets' bucket gets a customer-managed key with this statement in its policy."""
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    key: str = client(account, "kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    client(account, "s3").put_bucket_encryption(Bucket=ASSETS, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return key


ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def test_a_key_that_leaves_decryption_to_each_roles_policy(account: Account) -> None:
    key = encrypted_with(account, {"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"})

    finding = only("bootstrap")

    assert finding.severity == "error"
    assert key in finding.summary
    statement = json.loads(finding.remedy[finding.remedy.index("{") :])
    assert statement["Action"] == "kms:Decrypt"
    assert statement["Condition"]["StringEquals"] == {
        "kms:CallerAccount": ACCOUNT,
        "kms:ViaService": f"s3.{REGION}.amazonaws.com",
    }


def test_a_key_of_the_form_that_cdk_makes(account: Account) -> None:
    encrypted_with(
        account,
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": f"s3.{REGION}.amazonaws.com"}
            },
        },
    )

    assert findings("bootstrap") == []


def test_a_bucket_of_another_account_is_unknown(account: Account) -> None:
    account.refuse("s3.HeadBucket", RefusedCallError("403", "Forbidden", 403))

    finding = only("bootstrap")

    assert finding.severity == "unknown"
    assert finding.remedy == "These credentials need s3:ListBucket."
