"""Look for what bills in one region."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from environments import Environment
from ops.sweep import ownership
from ops.sweep.found import Client, Found
from ops.sweep.kinds import KINDS, Kind, named
from ops.sweep.prices import Prices

THREADS = 8
AUTO_DELETE = "aws-cdk:auto-delete-objects"
"""CDK gives this tag to a bucket that it empties when its stack is deleted. A bucket that is kept does not have it."""

Tagged = tuple[str, Mapping[str, str]]
"""An ARN and its tags."""


def look(client: Client, environment: Environment, region: str) -> tuple[list[Found], list[str]]:
    """What bills in a region, in the order of deletion, and a sentence for each list that AWS refused."""
    unknown: list[str] = []
    tagged: list[Tagged] = []
    lists: dict[str, Callable[[Client, Environment], Iterator[Tagged]]] = {
        "resources by their tags": _by_tags,
        "training jobs": partial(_jobs, kind="Training"),
        "processing jobs": partial(_jobs, kind="Processing"),
    }
    for title, arns in lists.items():
        try:
            tagged += arns(client, environment)
        except (ClientError, BotoCoreError) as error:
            unknown.append(f"{region}: AWS did not list the {title}: {error}")
    others = ownership.others(environment)
    tagged = [each for each in tagged if not any(ownership.belongs(each[1], other) for other in others)]
    if not tagged:
        return [], unknown
    try:
        owners = ownership.owners(client, environment)
    except (ClientError, BotoCoreError) as error:
        owners = None
        unknown.append(f"{region}: AWS did not list the stacks, so nothing is deleted: {error}")
    prices = Prices(region)
    planned = [(*kind_and_name, arn, tags) for arn, tags in tagged if (kind_and_name := named(arn))]
    for kind, *_ in planned:
        client(kind.type.partition(":")[0])  # made in this thread: botocore makes one client at a time
    found: list[Found] = []
    with ThreadPoolExecutor(THREADS) as pool:
        looks = [pool.submit(_bill, client, kind, name, prices) for kind, name, *_ in planned]
        for (kind, name, arn, tags), bill in zip(planned, looks, strict=True):
            try:
                billed = bill.result()
            except (ClientError, BotoCoreError) as error:
                unknown.append(f"{region}: {kind.name} {name}: AWS did not describe it: {error}")
                continue
            if billed:
                about, usd = billed
                one = Found(kind=kind.name, region=region, name=name, about=about, usd_day=usd)
                found.append(one.because(_reason(kind, name, arn, tags, environment, owners)))
    order = [kind.name for kind in KINDS]
    return sorted(found, key=lambda each: (order.index(each.kind), each.name)), unknown


def _by_tags(client: Client, environment: Environment) -> Iterator[Tagged]:
    filters = [{"Key": key, "Values": [value]} for key, value in ownership.tags_of(environment).items()]
    types = [kind.type for kind in KINDS if kind.listed_by_tags]
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=filters, ResourceTypeFilters=types):
        for each in page["ResourceTagMappingList"]:
            yield each["ResourceARN"], {tag["Key"]: tag["Value"] for tag in each["Tags"]}


def _jobs(client: Client, environment: Environment, *, kind: str) -> Iterator[Tagged]:
    """Those that run. kind: Training or Processing."""
    sagemaker: Any = client("sagemaker")
    for page in sagemaker.get_paginator(f"list_{kind.lower()}_jobs").paginate(StatusEquals="InProgress"):
        for job in page[f"{kind}JobSummaries"]:
            arn = job[f"{kind}JobArn"]
            pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
            tags = {tag["Key"]: tag["Value"] for tags in pages for tag in tags["Tags"]}
            if ownership.belongs(tags, environment):
                yield arn, tags


def _bill(client: Client, kind: Kind, name: str, prices: Prices) -> Any:
    try:
        return kind.look(client, name, prices)
    except ClientError as error:
        if is_gone(error):  # the tags of a resource are listed for some time after its deletion
            return None
        raise


def is_gone(error: ClientError) -> bool:
    """Whether AWS says that a resource does not exist."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return (
        "NotFound" in code
        or "RecordNotFound" in message  # a notebook instance; its code is ValidationException
        or code.startswith("NoSuch")
        or (code == "ValidationException" and ("ould not find" in message or "not found" in message))
    )


def _reason(
    kind: Kind,
    name: str,
    arn: str,
    tags: Mapping[str, str],
    environment: Environment,
    owners: ownership.Owners | None,
) -> str:
    """Why a resource is not deleted; empty if it may be."""
    if kind.name == "bucket" and environment.protection.keep_bucket:
        return f"{environment.file} keeps the bucket (protection.keep_bucket)."
    if kind.name == "bucket" and tags.get(AUTO_DELETE) != "true":
        return f"It was deployed to be kept: it does not have the tag {AUTO_DELETE}."
    foreign = ownership.foreign_tag(tags, environment)
    if foreign:
        return (
            f"It has the tag {foreign}, which {environment.file} does not give: it may belong to another environment."
        )
    alike = ownership.same_tags(environment)
    if alike:
        return (
            f"{alike} has the same tags, so it may belong to that environment. Write a tag into [tags] of one of the "
            "files, such as environment, and deploy it."
        )
    user = ownership.keys_of_buckets().get(arn)
    if user:
        return f"{user} names it (storage.kms_key_arn): without it the objects in the bucket could not be read."
    if owners is None:
        return "AWS did not say whether a stack owns it."
    owner = owners.owner(arn, name, tags)
    if owner and owner[1] != ownership.DELETED_BY:
        return f"The stack {owner[0]} owns it ({owner[1]}): `make destroy ENV={environment.name}` deletes it."
    return ""
