"""The alert topic: who may publish, its encryption and its subscription."""

from typing import Any

import pytest

from tests.infra.conftest import Assembly, Synthesise
from tests.infra.templates import joined


def statements(assembly: Assembly, type: str, document: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = assembly.only(type)[document]["Statement"]
    return found


def test_plain_http_is_denied_by_the_topic(development: Assembly) -> None:
    denied = [
        statement
        for statement in statements(development, "AWS::SNS::TopicPolicy", "PolicyDocument")
        if statement["Effect"] == "Deny"
    ]
    assert [statement["Condition"] for statement in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


@pytest.mark.parametrize("service", ["cloudwatch.amazonaws.com", "budgets.amazonaws.com", "events.amazonaws.com"])
def test_each_service_may_publish_only_for_this_account_and_use_the_key(development: Assembly, service: str) -> None:
    """It needs both the topic's policy and the key's; without one of them alerts are lost without an error."""
    (publish,) = [
        statement
        for statement in statements(development, "AWS::SNS::TopicPolicy", "PolicyDocument")
        if statement["Principal"] == {"Service": service}
    ]
    assert publish["Action"] == "sns:Publish"
    if service == "events.amazonaws.com":
        assert "Condition" not in publish  # EventBridge sends nothing that a condition could check
    else:
        assert publish["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert "<AWS::AccountId>" in joined(publish["Condition"]["ArnLike"]["aws:SourceArn"])
    (use,) = [
        statement
        for statement in statements(development, "AWS::KMS::Key", "KeyPolicy")
        if statement["Principal"] == {"Service": service}
    ]
    assert use["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert ("Condition" in use) == (service != "events.amazonaws.com")


def test_only_services_may_publish(development: Assembly) -> None:
    allowed = [
        statement["Principal"]
        for statement in statements(development, "AWS::SNS::TopicPolicy", "PolicyDocument")
        if statement["Effect"] == "Allow"
    ]
    assert all(list(principal) == ["Service"] for principal in allowed)


def test_the_topic_is_encrypted_with_a_key_that_rotates(development: Assembly) -> None:
    ((_, key, _),) = development.resources("AWS::KMS::Key")
    assert development.only("AWS::SNS::Topic")["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    assert development.only("AWS::KMS::Key")["EnableKeyRotation"] is True


def test_there_is_no_subscription_without_an_email_address(development: Assembly, synthesise: Synthesise) -> None:
    assert list(development.resources("AWS::SNS::Subscription")) == []
    mailed = synthesise(("monitoring.email", "ops@example.com"))
    subscription = mailed.only("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
