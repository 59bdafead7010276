"""The EC2 host, the notebook instance and their network."""

from collections.abc import Iterator
from typing import Any

from ops.cost.assumptions import Assumptions
from ops.cost.charge import HOURS_A_MONTH, Charge, Usage, standing
from ops.cost.templates import Resource, Templates

DETAILED_METRICS = 7
"""Metrics that EC2's detailed monitoring bills, for the hours in which the instance runs:
https://aws.amazon.com/cloudwatch/pricing/"""


def host(instance: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    stops = any(":ec2:stop" in str(alarm.properties) for alarm in app.referring(instance, "AWS::CloudWatch::Alarm"))
    hours = _hours(stops_itself=stops, given=given)
    kind = instance.properties["InstanceType"]
    yield Charge(what=f"training host, {kind}", price=f"ec2.instance.{kind}", usage=hours)
    for device in instance.properties.get("BlockDeviceMappings", []):
        volume = device["Ebs"]
        yield Charge(
            what=f"training host, volume of {volume['VolumeSize']} GiB",
            price=f"ebs.{volume['VolumeType']}",
            usage=standing(float(volume["VolumeSize"])),
        )
    if instance.properties.get("Monitoring"):
        yield Charge(
            what="training host, detailed monitoring",
            price="cloudwatch.metric",
            usage=hours * (DETAILED_METRICS / HOURS_A_MONTH),
        )
    if any(subnet.properties.get("MapPublicIpOnLaunch") for subnet in app.referred(instance, "AWS::EC2::Subnet")):
        yield Charge(what="training host, public address", price="ec2.public-ipv4", usage=hours)


def notebook(instance: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    scripts = app.referred(instance, "AWS::SageMaker::NotebookInstanceLifecycleConfig")
    minutes = [float(found) for script in scripts for found in _values("IdleMinutes", script.properties)]
    kind = instance.properties["InstanceType"]
    yield Charge(
        what=f"notebook instance, {kind}",
        price=f"sagemaker.instance.{kind}",
        usage=_hours(stops_itself=max(minutes, default=0) > 0, given=given),
    )
    gb = instance.number("VolumeSizeInGB", 5)
    yield Charge(what=f"notebook instance, volume of {gb:g} GB", price="sagemaker.storage", usage=standing(gb))


def nat_gateway(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    del app, given
    yield Charge(what=f"NAT gateway {resource.id}", price="nat.gateway", usage=standing(HOURS_A_MONTH))


def address(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """A public IPv4 address is billed whether or not something uses it."""
    del app, given
    yield Charge(what=f"address {resource.id}", price="ec2.public-ipv4", usage=standing(HOURS_A_MONTH))


def vpc_endpoint(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """A gateway endpoint is free; an interface endpoint is billed in each of its subnets."""
    del app, given
    if resource.properties.get("VpcEndpointType") == "Interface":
        subnets = len(resource.properties.get("SubnetIds", [None]))
        yield Charge(what=f"endpoint {resource.id}", price="vpc.endpoint", usage=standing(subnets * HOURS_A_MONTH))


def _hours(*, stops_itself: bool, given: Assumptions) -> Usage:
    """Hours of an instance that a person starts, and that stops itself when idle or does not."""
    if stops_itself:
        return Usage(expected=given.workbench_h, worst=HOURS_A_MONTH)
    return standing(HOURS_A_MONTH)


def _values(key: str, value: Any) -> Iterator[Any]:
    """Each value of a key, however deep."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == key:
                yield part
            yield from _values(key, part)
    elif isinstance(value, list):
        for part in value:
            yield from _values(key, part)
