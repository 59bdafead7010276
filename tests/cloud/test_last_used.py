"""When a role, its services and an access key were used, as IAM says it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.conftest import Client


def policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def is_now(moment: datetime) -> bool:
    return abs(datetime.now(UTC) - moment) < timedelta(minutes=10)


def test_a_denied_call_of_a_role_is_a_use_too(client: Client) -> None:
    iam = client("iam")
    trust = policy(Action="sts:AssumeRole", Principal={"AWS": "*"})
    role = iam.create_role(RoleName="used", AssumeRolePolicyDocument=trust)["Role"]
    rights = policy(Action=["logs:PutLogEvents", "xray:PutTraceSegments"], Resource="*")
    iam.put_role_policy(RoleName="used", PolicyName="Rights", PolicyDocument=rights)
    assert "LastUsedDate" not in iam.get_role(RoleName="used")["Role"].get("RoleLastUsed", {})

    keys = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    logs = client(
        "logs",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    with pytest.raises(ClientError, match="not authorized to perform: logs:DescribeLogGroups"):
        logs.describe_log_groups()

    assert is_now(iam.get_role(RoleName="used")["Role"]["RoleLastUsed"]["LastUsedDate"])
    job = iam.generate_service_last_accessed_details(Arn=role["Arn"])["JobId"]
    services = iam.get_service_last_accessed_details(JobId=job)["ServicesLastAccessed"]
    assert {each["ServiceNamespace"]: "LastAuthenticated" in each for each in services} == {"logs": True, "xray": False}


def test_a_key_has_the_service_that_was_called_with_it(client: Client) -> None:
    iam = client("iam")
    iam.create_user(UserName="used")
    key = iam.create_access_key(UserName="used")["AccessKey"]
    iam.put_user_policy(
        UserName="used", PolicyName="Rights", PolicyDocument=policy(Action="s3:ListAllMyBuckets", Resource="*")
    )
    before = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert "LastUsedDate" not in before

    client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]).list_buckets()

    after = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert after["ServiceName"] == "s3"
    assert is_now(after["LastUsedDate"])
