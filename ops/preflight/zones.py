"""The availability zone of the workbench, and what AWS offers there."""

from collections.abc import Iterator
from typing import Any

from ops.preflight.check import Check
from ops.preflight.finding import Finding, error, warning
from ops.preflight.target import Target

SUBJECT = "zone"


def checks(target: Target) -> Iterator[Check]:
    if target.has_host or target.has_notebook:
        yield Check(
            subject=SUBJECT,
            title="the availability zone of the workbench",
            needs="ec2:DescribeAvailabilityZones, ec2:DescribeSubnets and ec2:DescribeInstanceTypeOfferings",
            find=zone,
        )


def zone(target: Target) -> Iterator[Finding]:
    """A zone that does not exist, or that lacks an instance type of the workbench."""
    settings = target.settings.workbench
    ec2 = target.client("ec2")
    if settings.subnet:
        found = ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": [settings.subnet]}])["Subnets"]
        for subnet in found:  # one that does not exist is a finding of its own
            yield from _lacking(target, ec2, subnet["AvailabilityZone"], "the zone of workbench.subnet", None)
        return
    zones = _zones(ec2)
    if settings.zone_index >= len(zones):
        yield error(
            SUBJECT,
            f"workbench.zone_index is {settings.zone_index}, but {target.region} has the zones {', '.join(zones)} for "
            "this account.",
            f"-c workbench.zone_index=0 (0 to {len(zones) - 1})",
        )
        return
    where = f"the zone of workbench.zone_index={settings.zone_index}"
    yield from _lacking(target, ec2, zones[settings.zone_index], where, zones)


def _lacking(target: Target, ec2: Any, chosen: str, where: str, zones: list[str] | None) -> Iterator[Finding]:
    """Instance types of the workbench that AWS does not offer in the chosen zone.

    zones: the zones that workbench.zone_index numbers; None if a subnet decides.
    """
    settings = target.settings.workbench
    kinds = []
    if target.has_host:
        kinds.append((settings.host_instance_type, "workbench.host_instance_type", error))
    if target.has_notebook:
        # EC2's offer stands for SageMaker's, which no call lists: so a gap is only likely
        kind = settings.notebook_instance_type.removeprefix("ml.")
        kinds.append((kind, "workbench.notebook_instance_type", warning))
    for kind, setting, severity in kinds:
        offering = _offering(ec2, kind)
        if chosen in offering:
            continue
        others = [str(index) for index, name in enumerate(zones or []) if name in offering]
        if not offering:
            remedy = f"No zone of {target.region} offers it: choose another type or region."
        elif not others:
            remedy = f"Name a subnet in {' or '.join(sorted(offering))}: -c workbench.subnet=..."
        else:
            remedy = f"-c workbench.zone_index={others[0]} (zones that offer it: {', '.join(others)})"
        yield severity(SUBJECT, f"AWS does not offer {kind} ({setting}) in {chosen}, {where}.", remedy)


def _zones(ec2: Any) -> list[str]:
    """The zones in the order of CloudFormation's Fn::GetAZs: those with a default subnet, or all if none has one.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getavailabilityzones.html
    """
    every = [
        zone["ZoneName"]
        for zone in ec2.describe_availability_zones()["AvailabilityZones"]
        if zone.get("ZoneType", "availability-zone") == "availability-zone"
    ]
    defaults = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    with_default = {subnet["AvailabilityZone"] for subnet in defaults}
    return sorted(with_default.intersection(every) or every)


def _offering(ec2: Any, kind: str) -> set[str]:
    """The zones of the region that offer an instance type."""
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [kind]}]
    )
    return {offer["Location"] for page in pages for offer in page["InstanceTypeOfferings"]}
