"""What sends alerts, beside its templates: alarms, event rules, schedules, the topic and its key."""

import json
from collections.abc import Iterator

from ops.operate.changed.declared import Change, Declared, Mark, answered, command

_MUTED: Mark = {"kind": "alerts", "breaks": False}


def alarm(declared: Declared) -> Iterator[Change]:
    """Whether it exists, notifies, and watches what the template says."""
    name = declared.physical
    found = declared.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not found:
        yield declared.deleted(kind="alerts", breaks=False)
        return
    live = found[0]
    wanted = declared.get("ActionsEnabled", default=True)
    put_back = command("aws", "cloudwatch", "enable-alarm-actions" if wanted else "disable-alarm-actions")
    put_back += f" --alarm-names {name}"
    yield from declared.compared("ActionsEnabled", live.get("ActionsEnabled", True), wanted, put_back, **_MUTED)
    again = f"deploy {declared.stack} with --revert-drift: make deploy ARGS=--revert-drift"
    for key in ("AlarmActions", "Threshold", "EvaluationPeriods", "Period", "MetricName", "Namespace"):
        default = [] if key == "AlarmActions" else live.get(key)
        now = _number(live.get(key, default))
        yield from declared.compared(key, now, declared.get(key, default=default), again, **_MUTED)


def _number(value: object) -> object:
    """A threshold is a float in the answer, and mostly a whole number in the template."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def rule(declared: Declared) -> Iterator[Change]:
    """Whether it exists, is enabled, matches the same events, and has its targets."""
    events, name = declared.client("events"), declared.physical.rpartition("/")[2]
    live = answered(lambda: events.describe_rule(Name=name))
    if live is None:
        yield declared.deleted(kind="alerts", breaks=False)
        return
    wanted = declared.get("State", default="ENABLED")
    put_back = command("aws", "events", "enable-rule" if wanted == "ENABLED" else "disable-rule", "--name", name)
    yield from declared.compared("state", live.get("State", "ENABLED"), wanted, put_back, **_MUTED)
    pattern = declared.get("EventPattern")
    if pattern and live.get("EventPattern"):
        put_back = command("aws", "events", "put-rule", "--name", name, "--event-pattern")
        put_back += f" {command(json.dumps(declared.resolved(pattern)))}"
        yield from declared.compared("pattern", json.loads(live["EventPattern"]), pattern, put_back, **_MUTED)
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    for target in declared.get("Targets", default=[]):
        if all(each["Id"] != target["Id"] for each in targets):
            how = f"it has no target {target['Id']}, to which the template sends its events"
            put_back = command(
                *("aws", "events", "put-targets", "--rule", name, "--targets"),
                json.dumps([declared.resolved(target)]),
            )
            yield declared.changed(how, put_back, **_MUTED)


def schedule(declared: Declared) -> Iterator[Change]:
    """Whether it exists and is enabled."""
    name = declared.physical.rpartition("/")[2]
    live = answered(lambda: declared.client("scheduler").get_schedule(Name=name))
    if live is None:
        yield declared.deleted(kind="alerts", breaks=False)
        return
    again = "make deploy ARGS=--revert-drift, or enable it in the console of EventBridge Scheduler"
    wanted = declared.get("State", default="ENABLED")
    yield from declared.compared("state", live["State"], wanted, again, **_MUTED)
    expression = declared.get("ScheduleExpression")
    yield from declared.compared("expression", live["ScheduleExpression"], expression, again, **_MUTED)


def topic(declared: Declared) -> Iterator[Change]:
    """Whether it exists, and whether each subscriber has confirmed."""
    sns, arn = declared.client("sns"), declared.physical
    live = answered(lambda: sns.get_topic_attributes(TopicArn=arn))
    if live is None:
        yield declared.deleted(kind="alerts", breaks=False)
        return
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn):
        for each in page["Subscriptions"]:
            if each["SubscriptionArn"] == "PendingConfirmation":
                yield Change(
                    what=f"The subscription of {each['Endpoint']} to the alerts of {declared.stack} is not confirmed, "
                    "so no alert reaches it.",
                    put_back="open the link in AWS's mail to that address; after three days, subscribe again: "
                    + command("aws", "sns", "subscribe", "--topic-arn", arn, "--protocol", each["Protocol"])
                    + command("", "--notification-endpoint", each["Endpoint"]).removeprefix("''"),
                    kind="alerts",
                    breaks=False,
                )


def subscription(declared: Declared) -> Iterator[Change]:
    """Whether it exists. One that is not confirmed is the topic's."""
    topic, endpoint = declared.text(declared.get("TopicArn")), declared.text(declared.get("Endpoint"))
    pages = declared.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    found = answered(lambda: [each["Endpoint"] for page in pages for each in page["Subscriptions"]])
    if found is not None and endpoint not in found:
        put_back = command(
            *("aws", "sns", "subscribe", "--topic-arn", topic, "--protocol", declared.text(declared.get("Protocol"))),
            *("--notification-endpoint", endpoint),
        )
        how = f"{endpoint} is not subscribed"
        yield declared.changed(how, put_back, **_MUTED)


def key(declared: Declared) -> Iterator[Change]:
    """Whether what it encrypts can be read."""
    yield from _usable(declared, declared.physical, declared.label)


def _usable(declared: Declared, id: str, label: str) -> Iterator[Change]:
    live = answered(lambda: declared.client("kms").describe_key(KeyId=id))
    state = live["KeyMetadata"]["KeyState"] if live else "deleted"
    what = f"{label[:1].upper()}{label[1:]} is {state}, so AWS refuses whatever is encrypted with it."
    enable = command("aws", "kms", "enable-key", "--key-id", id)
    match state:
        case "Disabled":
            yield Change(what=what, put_back=enable, kind="key")
        case "PendingDeletion":
            cancel = command("aws", "kms", "cancel-key-deletion", "--key-id", id)
            yield Change(what=what, put_back=f"{cancel} && {enable}", kind="key")
        case "deleted":
            yield Change(what=what, put_back="a deleted key cannot be restored", kind="key")


def key_of_the_settings(bucket: Declared) -> Iterator[Change]:
    """The key of the bucket, if no template has made it."""
    arn = bucket.account.settings.storage.kms_key_arn
    if arn:
        yield from _usable(bucket, arn, f"the KMS key {arn} (storage.kms_key_arn)")
