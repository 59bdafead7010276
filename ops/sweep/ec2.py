"""Instances, volumes, and what of a network bills by the hour."""

from typing import Any

from ops.sweep.found import Client, UndeletedError
from ops.sweep.prices import Prices, total
from ops.sweep.sagemaker import Bill


def instance(client: Client, name: str, prices: Prices) -> Bill | None:
    """With its volumes, and with the address that its subnet gave it: the instance's deletion is also theirs."""
    reservations = client("ec2").describe_instances(InstanceIds=[name])["Reservations"]
    (described,) = [each for reservation in reservations for each in reservation["Instances"]]
    state, kind = described["State"]["Name"], described["InstanceType"]
    if state in ("terminated", "shutting-down"):
        return None
    filters = [{"Name": "attachment.instance-id", "Values": [name]}]
    volumes = client("ec2").describe_volumes(Filters=filters)["Volumes"]
    storage = [prices.monthly(f"ebs.{each['VolumeType']}", each["Size"]) for each in volumes]
    if state in ("stopped", "stopping"):
        return f"{kind}, {state}: its volumes", total(*storage)
    given = [each for each in described.get("NetworkInterfaces", []) if _has_given_address(each)]
    addresses = prices.hourly("ec2.public-ipv4", len(given))
    return f"{kind}, {state}", total(prices.hourly(f"ec2.instance.{kind}"), addresses, *storage)


def _has_given_address(interface: dict[str, Any]) -> bool:
    """Whether it has a public address that AWS takes back when the instance stops. An Elastic IP is its own kind."""
    owner: str | None = interface.get("Association", {}).get("IpOwnerId")
    return owner == "amazon"


def terminate(client: Client, name: str) -> None:
    client("ec2").terminate_instances(InstanceIds=[name])
    client("ec2").get_waiter("instance_terminated").wait(InstanceIds=[name])


def volume(client: Client, name: str, prices: Prices) -> Bill | None:
    """One without an instance: the others are counted, and deleted, with theirs."""
    (described,) = client("ec2").describe_volumes(VolumeIds=[name])["Volumes"]
    if described["State"] in ("deleting", "deleted") or described.get("Attachments"):
        return None
    gib, kind = described["Size"], described["VolumeType"]
    return f"{gib} GiB {kind}, {described['State']}", prices.monthly(f"ebs.{kind}", gib)


def delete_volume(client: Client, name: str) -> None:
    client("ec2").delete_volume(VolumeId=name)


def nat_gateway(client: Client, name: str, prices: Prices) -> Bill | None:
    (described,) = client("ec2").describe_nat_gateways(NatGatewayIds=[name])["NatGateways"]
    if described["State"] in ("deleting", "deleted", "failed"):
        return None
    return described["State"], prices.hourly("nat.gateway")


def delete_nat_gateway(client: Client, name: str) -> None:
    """And wait until it is gone: its address is not released before."""
    client("ec2").delete_nat_gateway(NatGatewayId=name)
    client("ec2").get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[name])


def address(client: Client, name: str, prices: Prices) -> Bill | None:
    (described,) = client("ec2").describe_addresses(AllocationIds=[name])["Addresses"]
    return described["PublicIp"], prices.hourly("ec2.public-ipv4")


def release_address(client: Client, name: str) -> None:
    client("ec2").release_address(AllocationId=name)


def vpc_endpoint(client: Client, name: str, prices: Prices) -> Bill | None:
    """A gateway endpoint is free."""
    (described,) = client("ec2").describe_vpc_endpoints(VpcEndpointIds=[name])["VpcEndpoints"]
    if described["VpcEndpointType"] == "Gateway" or described["State"].lower() in ("deleting", "deleted"):
        return None
    subnets = len(described.get("SubnetIds", [])) or 1
    return f"{described['ServiceName']} in {subnets} subnets", prices.hourly("vpc.endpoint", subnets)


def delete_vpc_endpoint(client: Client, name: str) -> None:
    for each in client("ec2").delete_vpc_endpoints(VpcEndpointIds=[name]).get("Unsuccessful", []):
        raise UndeletedError(each["Error"]["Message"])
