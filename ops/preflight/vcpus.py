"""The quota of the training host: EC2 counts the vCPUs of all running instances of some families together."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error, unknown
from ops.preflight.quotas import DAYS, PERMISSIONS, SUBJECT
from ops.preflight.service_quotas import ServiceQuotas
from ops.preflight.target import Target

STANDARD = "acdhimrtz"
GROUPS = {
    **dict.fromkeys(("g", "gr", "vt"), "G and VT"),
    "p": "P",
    "inf": "Inf",
    "trn": "Trn",
    "dl": "DL",
    "f": "F",
    "x": "X",
}
"""The first letters of an instance type, to the families that share a quota with it.
https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html"""


def checks(target: Target, quotas: ServiceQuotas) -> Iterator[Check]:
    if target.has_host:
        yield Check(
            subject=SUBJECT,
            title=f"the vCPUs that EC2 allows for {target.settings.workbench.host_instance_type}",
            needs=f"ec2:DescribeInstanceTypes, ec2:DescribeInstances, {PERMISSIONS}",
            find=partial(vcpus, quotas=quotas),
        )


def group(kind: str) -> str:
    """The families whose quota counts an instance type, as AWS names them."""
    letters = re.match(r"[a-z]+", kind.lower())
    first = letters[0] if letters else kind
    if first in GROUPS:
        return GROUPS[first]
    return f"Standard ({', '.join(STANDARD.upper())})" if first[:1] in STANDARD else first.upper()


def vcpus(target: Target, quotas: ServiceQuotas) -> Iterator[Finding]:
    """Fewer vCPUs than the training host needs beside what runs already."""
    kind = target.settings.workbench.host_instance_type
    families = group(kind)
    name = f"Running On-Demand {families} instances"
    ec2 = target.client("ec2")
    try:
        needed = ec2.describe_instance_types(InstanceTypes=[kind])["InstanceTypes"][0]["VCpuInfo"]["DefaultVCpus"]
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "InvalidInstanceType":
            raise
        yield error(
            SUBJECT,
            f"EC2 has no instance type {kind} (workbench.host_instance_type) in {target.region}.",
            "Name another one: -c workbench.host_instance_type=...",
        )
        return
    quota = quotas.find("ec2", name)
    if quota is None:
        yield unknown(
            SUBJECT,
            f"AWS has no quota {name!r} in {target.region}, so it may not offer {kind} there.",
            "Look it up in the console of Service Quotas, or choose another type: -c workbench.host_instance_type=...",
        )
        return
    running = sum(_running(ec2, families, target.environment.stack("workbench")))
    if quota.value < running + needed:
        others = f", and {running} vCPUs of them run already" if running else ""
        yield error(
            SUBJECT,
            f"The quota {name!r} is {quota.value:.0f} vCPUs, but must be at least {running + needed}: the training "
            f"host is a {kind} with {needed}{others}.",
            quotas.remedy(quota, running + needed),
            f"{DAYS} Until then: -c workbench.host=false leaves the host out.",
        )


def _running(ec2: Any, families: str, own_stack: str) -> Iterator[int]:
    """The vCPUs of each running instance that the same quota counts, without this deployment's own host."""
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=states):
        for instance in (each for reservation in page["Reservations"] for each in reservation["Instances"]):
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
            is_spot = instance.get("InstanceLifecycle") == "spot"  # has a quota of its own
            if is_spot or tags.get("aws:cloudformation:stack-name") == own_stack:
                continue
            if group(instance["InstanceType"]) == families:
                yield instance["CpuOptions"]["CoreCount"] * instance["CpuOptions"]["ThreadsPerCore"]
