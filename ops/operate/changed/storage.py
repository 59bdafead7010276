"""The bucket, log groups, queues and parameters, beside their templates."""

import json
from collections.abc import Iterator, Mapping

from ops.audit.drift import same
from ops.audit.values import listed
from ops.operate.changed.alerts import key_of_the_settings
from ops.operate.changed.declared import Change, Declared, answered, command


def bucket(declared: Declared) -> Iterator[Change]:
    """Whether it exists, with its versions, its encryption and its block of public access."""
    s3, name = declared.client("s3"), declared.physical
    yield from key_of_the_settings(declared)
    live = answered(lambda: s3.get_bucket_versioning(Bucket=name))
    if live is None:
        yield declared.deleted()
        return
    status = declared.get("VersioningConfiguration", "Status", default="")
    put_back = command(
        *("aws", "s3api", "put-bucket-versioning", "--bucket", name),
        *("--versioning-configuration", f"Status={status or 'Suspended'}"),
    )
    yield from declared.compared("versioning", live.get("Status", ""), status, put_back, breaks=False)
    block = declared.get("PublicAccessBlockConfiguration")
    if block:
        found = answered(lambda: s3.get_public_access_block(Bucket=name)) or {}
        whole = ",".join(f"{key}={str(value).lower()}" for key, value in block.items())
        put_back = command(
            *("aws", "s3api", "put-public-access-block", "--bucket", name),
            *("--public-access-block-configuration", whole),
        )
        now = found.get("PublicAccessBlockConfiguration", {})
        yield from declared.compared("block of public access", now, block, put_back, breaks=False)


def bucket_policy(declared: Declared) -> Iterator[Change]:
    """Statements that are gone, and those that deny what the template does not."""
    name, client = declared.text(declared.get("Bucket")), declared.client("s3")
    found = answered(lambda: client.get_bucket_policy(Bucket=name))
    wanted = listed(declared.get("PolicyDocument", "Statement"))
    live = listed(json.loads(found["Policy"])["Statement"]) if found else []
    gone = [each for each in wanted if not any(same(each, one, declared.references) for one in live)]
    added = [each for each in live if not any(same(one, each, declared.references) for one in wanted)]
    denied = [each for each in added if each.get("Effect") == "Deny"]
    document = json.dumps(declared.resolved(declared.get("PolicyDocument")))
    put_back = command("aws", "s3api", "put-bucket-policy", "--bucket", name, "--policy", document)
    if denied:
        how = f"it denies {', '.join(map(_actions, denied))}, which the template does not"
        yield declared.changed(how, put_back)
    elif gone:
        lacks = "; ".join(f"{each.get('Effect', '')} {_actions(each)}" for each in gone)
        how = "it does not exist" if not live else f"it lacks {lacks}"
        yield declared.changed(how, put_back, breaks=False)


def _actions(statement: Mapping[str, object]) -> str:
    return ", ".join(map(str, listed(statement.get("Action", statement.get("NotAction", "")))))


def log_group(declared: Declared) -> Iterator[Change]:
    """Whether it exists: no function creates one again, so nothing is logged."""
    name = declared.physical
    found = declared.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    if not any(each["logGroupName"] == name for each in found):
        yield declared.deleted(command("aws", "logs", "create-log-group", "--log-group-name", name), breaks=False)


def queue(declared: Declared) -> Iterator[Change]:
    """Whether it exists."""
    call = {"QueueUrl": declared.physical, "AttributeNames": ["QueueArn"]}
    if answered(lambda: declared.client("sqs").get_queue_attributes(**call)) is None:
        yield declared.deleted(kind="alerts", breaks=False)


def parameter(declared: Declared) -> Iterator[Change]:
    """Whether it exists, with its value."""
    name = declared.physical
    found = answered(lambda: declared.client("ssm").get_parameter(Name=name))
    value = declared.text(declared.get("Value"))
    put_back = command("aws", "ssm", "put-parameter", "--overwrite", "--type", "String", "--name", name)
    put_back += f" --value {value}"
    if found is None:
        yield declared.deleted(put_back, breaks=False)
        return
    live, wanted = found["Parameter"]["Value"], declared.get("Value")
    yield from declared.compared("value", live, wanted, put_back, breaks=False)
