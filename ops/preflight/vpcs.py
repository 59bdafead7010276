"""The quota of VPCs, one of which the workbench makes. Five are allowed by default, and many accounts have them."""

from collections.abc import Iterator
from functools import partial

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error
from ops.preflight.quotas import PERMISSIONS, SUBJECT
from ops.preflight.service_quotas import ServiceQuotas
from ops.preflight.target import Target

NAME = "VPCs per Region"


def checks(target: Target, quotas: ServiceQuotas) -> Iterator[Check]:
    if target.makes_vpc:
        yield Check(
            subject=SUBJECT,
            title=f"the quota {NAME!r}",
            needs=f"ec2:DescribeVpcs, {PERMISSIONS}",
            find=partial(vpcs, quotas=quotas),
        )


def vpcs(target: Target, quotas: ServiceQuotas) -> Iterator[Finding]:
    """No room for another VPC, unless the workbench has its own already."""
    own = target.environment.stack("workbench")
    pages = target.client("ec2").get_paginator("describe_vpcs").paginate()
    there = [
        {tag["Key"]: tag["Value"] for tag in vpc.get("Tags", [])}.get("aws:cloudformation:stack-name")
        for page in pages
        for vpc in page["Vpcs"]
    ]
    quota = quotas.find("vpc", NAME)
    if own not in there and quota and quota.value < len(there) + 1:
        yield error(
            SUBJECT,
            f"The quota {NAME!r} is {quota.value:.0f}, and {target.region} has {len(there)} already: the workbench "
            "needs one more.",
            quotas.remedy(quota, len(there) + 1),
            "Or use a subnet of a VPC that exists: -c workbench.subnet=... -c workbench.vpc=...",
        )
