"""A custom resource that deletes the versions of a model package group before CloudFormation deletes the group.

SageMaker deletes no group that has versions. What `kennel rollback` created for one goes with it, because no stack has
it, unless an endpoint still uses it. It does not use CDK's Provider framework: the work fits into one
invocation, and the framework would add a function, two roles and a wildcard right.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from .aws_errors import wait_for_permission
from .model_version import served_again
from .request import Json

MOST_CHARACTERS = 900
"""Of a reason, of up to four bytes each: CloudFormation accepts a response of at most 4096 bytes."""


def on_event(event: Json, _context: Any) -> None:
    """Always respond to CloudFormation: without a response, the stack would wait until its timeout."""
    group = event["ResourceProperties"]["ModelGroup"]
    outcome: Json = {"Status": "SUCCESS"}
    try:
        if event["RequestType"] == "Delete":
            config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 10})
            sagemaker = boto3.client("sagemaker", config=config)
            used = config_of(sagemaker, event["ResourceProperties"]["EndpointName"])
            print(f"group={group} versions_deleted={empty(sagemaker, group, used=used)}")
    except Exception as error:
        reason = f"The versions of the model package group {group} could not be deleted: {error!r}"
        outcome = {"Status": "FAILED", "Reason": reason[:MOST_CHARACTERS]}
    print(json.dumps({"request": event["RequestType"], **outcome}))
    _respond(event, {"PhysicalResourceId": f"versions-of-{group}", **outcome})


def config_of(sagemaker: Any, endpoint: str) -> str:
    """The configuration of the endpoint; empty if there is no endpoint."""
    try:
        found = wait_for_permission(lambda: sagemaker.describe_endpoint(EndpointName=endpoint), time.sleep)
    except ClientError as error:
        if _is_missing(error):
            return ""
        raise
    return str(found["EndpointConfigName"])


def empty(sagemaker: Any, group: str, *, used: str = "") -> int:
    """Delete every version, and what a rollback to it created. Returns how many versions there were.

    used: the endpoint configuration that is kept with its model. A group that no longer exists has no versions.
    """
    deleted = 0
    while True:
        try:
            page = wait_for_permission(
                lambda: sagemaker.list_model_packages(ModelPackageGroupName=group, MaxResults=100), time.sleep
            )
        except ClientError as error:
            if _is_missing(error):
                return deleted
            raise
        if not page["ModelPackageSummaryList"]:
            return deleted
        for version in page["ModelPackageSummaryList"]:
            name = served_again(group, version["ModelPackageVersion"])
            if name != used:
                _unless_missing(sagemaker.delete_endpoint_config, EndpointConfigName=name)
                _unless_missing(sagemaker.delete_model, ModelName=name)
            sagemaker.delete_model_package(ModelPackageName=version["ModelPackageArn"])
            deleted += 1


def _unless_missing(delete: Callable[..., object], **named: str) -> None:
    try:
        delete(**named)
    except ClientError as error:
        if not _is_missing(error):
            raise


def _is_missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound")


def _respond(event: Json, body: Json) -> None:
    named = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    urllib3.PoolManager().request(
        "PUT",
        event["ResponseURL"],
        body=json.dumps({**named, **body}, ensure_ascii=False).encode(),
        headers={"content-type": ""},  # the URL is signed without a content type
        timeout=10,
        retries=urllib3.Retry(5, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504)),
    )
