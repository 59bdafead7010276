"""Whether the security groups of a job let its hosts reach each other. Checked before any cost."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from .aws_errors import TrainingError
from .request import JobRequest, Json

PORTS = ((7777, 7777), (32768, 60999))
"""TCP ports between hosts: torchrun's, as SageMaker's toolkit starts it, and Linux's ephemeral ones, for NCCL and
gloo."""


def check_security_groups(ec2: Callable[[], Any], request: JobRequest) -> None:
    """Check that the hosts of a job in a VPC may open connections to each other.

    Without it each host waits for the others, billed, until NCCL or gloo gives up. A rule for addresses counts as one
    for the hosts, because their addresses are not known yet.

    ec2: makes a client. Raises `TrainingError` if no rule of the job's groups allows the traffic.
    """
    if request.instance_count < 2 or not request.security_groups:
        return
    names = ", ".join(request.security_groups)
    try:
        groups = ec2().describe_security_groups(GroupIds=list(request.security_groups))["SecurityGroups"]
    except ClientError as error:
        if error.response["Error"]["Code"].startswith("InvalidGroup"):
            raise TrainingError(
                f"training.security_groups is {names}, but EC2 says: {error.response['Error']['Message']}. "
                "No instance was started. Name groups of the VPC of training.subnets, then deploy again."
            ) from error
        raise
    direction = blocked(groups)
    if direction:
        raise TrainingError(
            f"The security groups of the job ({names}) do not allow {direction} between its members on all TCP ports, "
            f"so its {request.instance_count} hosts could not train together. No instance was started. Allow it, then "
            f"deploy again: {command(direction, request.security_groups[0])}"
        )


def blocked(groups: Sequence[Json]) -> str | None:
    """The direction, `ingress` or `egress`, in which no rule lets the hosts reach each other; None if there is none.

    groups: what EC2 says of all groups of the job.
    """
    members = {group["GroupId"] for group in groups}
    for direction, key in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
        rules = [rule for group in groups for rule in group.get(key, []) if _is_for_hosts(rule, members)]
        if not all(_covered(low, high, map(_ports, rules)) for low, high in PORTS):
            return direction
    return None


def command(direction: str, group: str) -> str:
    """The command that lets the members of a group reach each other."""
    rule = f"IpProtocol=tcp,FromPort=0,ToPort=65535,UserIdGroupPairs=[{{GroupId={group}}}]"
    return f"aws ec2 authorize-security-group-{direction} --group-id {group} --ip-permissions '{rule}'"


def _is_for_hosts(rule: Json, members: Collection[str]) -> bool:
    """Whether the rule is for TCP, and for one of these groups or for addresses."""
    among = any(pair.get("GroupId") in members for pair in rule.get("UserIdGroupPairs", []))
    addresses = any(rule.get(kind) for kind in ("IpRanges", "Ipv6Ranges", "PrefixListIds"))
    return rule["IpProtocol"] in ("-1", "tcp", "6") and (among or addresses)


def _ports(rule: Json) -> tuple[int, int]:
    return (0, 65535) if rule["IpProtocol"] == "-1" else (rule["FromPort"], rule["ToPort"])


def _covered(low: int, high: int, ranges: Iterable[tuple[int, int]]) -> bool:
    """Whether the ranges together include every port from `low` to `high`."""
    for first, last in sorted(ranges):
        if first <= low:
            low = max(low, last + 1)
    return low > high
