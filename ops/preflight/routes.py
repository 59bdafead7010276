"""Whether what runs in a VPC of the user gets to S3 and, on several hosts, to its peers.

The deploy would say so too, but the endpoint's part of it only after the training is paid for. What does not exist is
ops/preflight/existing.py's subject, and is left out here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ops.preflight.check import Check
from ops.preflight.finding import Finding, Severity
from ops.preflight.target import Target
from stacks.training.handler.network import blocked, command

SUBJECT = "routes and rules"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The network of one part of the deployment."""

    section: str
    subnets: Sequence[str]
    subnets_setting: str
    groups: Sequence[str]
    severity: Severity = "error"
    """Of a subnet without a way to S3."""
    why: str
    """What then fails."""


def places(target: Target) -> Iterator[Place]:
    """The parts that run in a VPC of the user."""
    training, serving, workbench = target.settings.training, target.settings.serving, target.settings.workbench
    if target.trains and training.subnets:
        yield Place(
            section="training",
            subnets=training.subnets,
            subnets_setting="training.subnets",
            groups=training.security_groups,
            why="the training job could not read the photos",
        )
    if "serving" in target.stacks and serving.subnets:
        yield Place(
            section="serving",
            subnets=serving.subnets,
            subnets_setting="serving.subnets",
            groups=serving.security_groups,
            why="the endpoint could not load the artifact",
        )
    if target.has_notebook and workbench.subnet and not workbench.notebook_internet:
        yield Place(
            section="workbench",
            subnets=(workbench.subnet,),
            subnets_setting="workbench.subnet",
            groups=workbench.security_groups,
            severity="warning",
            why="the notebook instance could not get its code",
        )


def checks(target: Target) -> Iterator[Check]:
    for place in places(target):
        yield Check(
            subject=SUBJECT,
            title=f"the way from {place.subnets_setting} to S3",
            needs="ec2:DescribeSubnets, ec2:DescribeRouteTables and ec2:DescribeVpcEndpoints",
            find=partial(way_to_s3, place),
        )
        if place.groups:
            yield Check(
                subject=SUBJECT,
                title=f"the VPC of {place.section}.security_groups",
                needs="ec2:DescribeSubnets and ec2:DescribeSecurityGroups",
                find=partial(one_vpc, place),
            )
        if place.section == "serving":
            yield Check(
                subject=SUBJECT,
                title="the availability zones of serving.subnets",
                needs="ec2:DescribeSubnets",
                find=zones_of_endpoint,
            )
        if place.section == "training" and target.settings.training.instance_count > 1:
            yield Check(
                subject=SUBJECT,
                title="the rules of training.security_groups",
                needs="ec2:DescribeSecurityGroups",
                find=hosts_meet,
            )


def way_to_s3(place: Place, target: Target) -> Iterator[Finding]:
    """Subnets without a gateway endpoint, an interface endpoint or a default route.

    A route to an internet gateway is none: what SageMaker puts into a subnet has no public address.
    """
    ec2 = target.client("ec2")
    for subnet in _subnets(target, place.subnets):
        vpc = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
        tables = ec2.describe_route_tables(Filters=vpc)["RouteTables"]
        table = _table_of(subnet["SubnetId"], tables)
        endpoints = [
            endpoint
            for endpoint in ec2.describe_vpc_endpoints(Filters=vpc)["VpcEndpoints"]
            if endpoint["ServiceName"].endswith(".s3")
        ]
        if table is None or _is_routed(table) or any(_serves(endpoint, table) for endpoint in endpoints):
            continue
        yield Finding(
            severity=place.severity,
            subject=SUBJECT,
            summary=f"{subnet['SubnetId']} ({place.subnets_setting}) has no route to S3, so {place.why}.",
            remedy=f"aws ec2 create-vpc-endpoint --vpc-id {subnet['VpcId']} --service-name "
            f"com.amazonaws.{target.region}.s3 --route-table-ids {table['RouteTableId']} --region {target.region}",
        )


def one_vpc(place: Place, target: Target) -> Iterator[Finding]:
    """Groups of another VPC than the subnets, which SageMaker refuses."""
    vpcs = {subnet["VpcId"] for subnet in _subnets(target, place.subnets)}
    foreign = [group["GroupId"] for group in _groups(target, place.groups) if group["VpcId"] not in vpcs]
    if len(vpcs) > 1 or (vpcs and foreign):
        named = f"{place.subnets_setting} and {place.section}.security_groups"
        where = f" ({', '.join(foreign)})" if len(vpcs) == 1 else ""
        yield Finding(
            severity="error",
            subject=SUBJECT,
            summary=f"{named} are in different VPCs{where}, and AWS accepts only one.",
            remedy=f"Correct them in {target.environment.file}.",
        )


def zones_of_endpoint(target: Target) -> Iterator[Finding]:
    """Subnets of one availability zone: SageMaker asks for two, even for one instance."""
    subnets = _subnets(target, target.settings.serving.subnets)
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    if len(subnets) > 1 and len(zones) == 1:
        yield Finding(
            severity="error",
            subject=SUBJECT,
            summary=f"All serving.subnets are in {zones.pop()}, but an endpoint needs two availability zones.",
            remedy=f"Name a subnet of another zone in {target.environment.file}.",
        )


def hosts_meet(target: Target) -> Iterator[Finding]:
    """Groups that keep the hosts of the job apart. The deploy makes the same check before it starts the job."""
    groups = _groups(target, target.settings.training.security_groups)
    direction = blocked(groups) if groups else None
    if direction:
        yield Finding(
            severity="error",
            subject=SUBJECT,
            summary=f"training.security_groups do not allow {direction} between the "
            f"{target.settings.training.instance_count} hosts of the training job.",
            remedy=f"{command(direction, groups[0]['GroupId'])} --region {target.region}",
        )


def _subnets(target: Target, ids: Sequence[str]) -> list[Json]:
    """Those that exist: a filter, unlike a list of ids, refuses none."""
    found: list[Json] = target.client("ec2").describe_subnets(Filters=[{"Name": "subnet-id", "Values": list(ids)}])[
        "Subnets"
    ]
    return found


def _groups(target: Target, ids: Sequence[str]) -> list[Json]:
    filters = [{"Name": "group-id", "Values": list(ids)}]
    found: list[Json] = target.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return found


def _table_of(subnet: str, tables: Sequence[Json]) -> Json | None:
    """The route table of a subnet: the VPC's main one, unless it has another."""
    own = [table for table in tables if any(link.get("SubnetId") == subnet for link in table["Associations"])]
    main = [table for table in tables if any(link.get("Main") for link in table["Associations"])]
    return next(iter([*own, *main]), None)


def _is_routed(table: Json) -> bool:
    """Whether a default route leads out, other than through an internet gateway."""
    return any(
        route.get("DestinationCidrBlock") == "0.0.0.0/0"
        and route.get("State") != "blackhole"
        and not route.get("GatewayId", "").startswith("igw-")
        for route in table["Routes"]
    )


def _serves(endpoint: Json, table: Json) -> bool:
    return endpoint["VpcEndpointType"] == "Interface" or table["RouteTableId"] in endpoint.get("RouteTableIds", [])
