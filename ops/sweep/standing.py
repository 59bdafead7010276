"""Provisioned concurrency, storage, alarms and keys: what bills without being used."""

from typing import Any

from ops.sweep.found import Client, UndeletedError
from ops.sweep.prices import GB, Prices
from ops.sweep.sagemaker import Bill

MOST_PAGES = 200
"""Of a bucket's list, 1,000 versions each: 200,000 objects. The price of a larger bucket is a lower bound."""
KEY_WINDOW_DAYS = 7
"""The shortest that KMS allows. https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""


def provisioned(client: Client, name: str, prices: Prices) -> Bill | None:
    """Of a function. A function without calls bills nothing else."""
    configs = _provisioned(client, name)
    count = sum(each["RequestedProvisionedConcurrentExecutions"] for each in configs)
    if not count:
        return None
    function = client("lambda").get_function_configuration(FunctionName=name)
    gb, (architecture,) = function["MemorySize"] / 1024, function.get("Architectures", ["x86_64"])
    return f"{count} of {function['MemorySize']} MiB", prices.secondly(f"lambda.provisioned.{architecture}", count * gb)


def delete_provisioned(client: Client, name: str) -> None:
    for each in _provisioned(client, name):
        qualifier = each["FunctionArn"].rpartition(":")[2]
        client("lambda").delete_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)


def _provisioned(client: Client, name: str) -> list[dict[str, Any]]:
    pages = client("lambda").get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName=name)
    return [each for page in pages for each in page["ProvisionedConcurrencyConfigs"]]


def bucket(client: Client, name: str, prices: Prices) -> Bill | None:
    """With every version of every object. An empty bucket is free."""
    size = count = 0
    for number, page in enumerate(client("s3").get_paginator("list_object_versions").paginate(Bucket=name)):
        if number == MOST_PAGES:
            return f"at least {count:,} object versions, {size / GB:.2f} GB", prices.monthly("s3.storage", size / GB)
        versions = page.get("Versions", [])
        size, count = size + sum(each["Size"] for each in versions), count + len(versions)
    return (
        (f"{count:,} object versions, {size / GB:.2f} GB", prices.monthly("s3.storage", size / GB)) if count else None
    )


def delete_bucket(client: Client, name: str) -> None:
    """With every version of every object. If it is interrupted, the next one continues."""
    s3: Any = client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        objects = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for each in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
        ]
        if objects:
            answer = s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
            for error in answer.get("Errors", []):
                raise UndeletedError(f"{error['Key']}: {error.get('Message', error.get('Code'))}")
    s3.delete_bucket(Bucket=name)


def repository(client: Client, name: str, prices: Prices) -> Bill | None:
    """With its images."""
    pages = client("ecr").get_paginator("describe_images").paginate(repositoryName=name)
    images = [each for page in pages for each in page["imageDetails"]]
    gb = sum(each.get("imageSizeInBytes", 0) for each in images) / GB
    return (f"{len(images)} images, {gb:.2f} GB", prices.monthly("ecr.storage", gb)) if images else None


def delete_repository(client: Client, name: str) -> None:
    client("ecr").delete_repository(repositoryName=name, force=True)


def alarm(client: Client, name: str, prices: Prices) -> Bill | None:
    if not client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]:
        return None
    return "", prices.monthly("cloudwatch.alarm")


def delete_alarm(client: Client, name: str) -> None:
    client("cloudwatch").delete_alarms(AlarmNames=[name])


def log_group(client: Client, name: str, prices: Prices) -> Bill | None:
    """The lines that it stores. An empty one is free."""
    pages = client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    sizes = [each.get("storedBytes", 0) for page in pages for each in page["logGroups"] if each["logGroupName"] == name]
    gb = sum(sizes) / GB
    return (f"{gb:.3f} GB", prices.monthly("logs.stored", gb)) if gb else None


def delete_log_group(client: Client, name: str) -> None:
    client("logs").delete_log_group(logGroupName=name)


def key(client: Client, name: str, prices: Prices) -> Bill | None:
    described = client("kms").describe_key(KeyId=name)["KeyMetadata"]
    if described["KeyState"] == "PendingDeletion" or described.get("KeyManager") == "AWS":
        return None
    return described.get("Description", ""), prices.monthly("kms.key")


def schedule_key_deletion(client: Client, name: str) -> None:
    client("kms").schedule_key_deletion(KeyId=name, PendingWindowInDays=KEY_WINDOW_DAYS)
