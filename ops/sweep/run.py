"""A sweep of the regions that were asked for, and the deletion of what was confirmed."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from boto3 import Session
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

import environments
from ops.data.aws_errors import explained
from ops.session import account, session
from ops.sweep.found import Client, Found, Sweep, UndeletedError
from ops.sweep.kinds import KINDS
from ops.sweep.look import is_gone, look

ALL = "all"
"""Stands for every region that the account has enabled."""


def sweep(environment: str, regions: Sequence[str], progress: Callable[[int, int, str], None]) -> Sweep:
    """Look for what bills. It changes nothing.

    regions: empty for the environment's own. progress: called with the number of regions that are done, of all, and
    the name of the next. Raises EnvironmentRefusedError, and BucketError if AWS cannot be reached.
    """
    with explained("the sweep", needs="ec2:DescribeRegions"):
        opened = session(environment)
        chosen = environments.load(environment)
        owner = account(opened)
        named = _regions(opened, regions)
        found: list[Found] = []
        unknown: list[str] = []
        for number, region in enumerate(named):
            progress(number, len(named), region)
            more, refused = look(clients(opened, region), chosen, region)
            found += more
            unknown += refused
        progress(len(named), len(named), "")
    return Sweep(environment=environment, account=owner, regions=named, found=found, unknown=unknown)


def _regions(opened: Session, regions: Sequence[str]) -> list[str]:
    if ALL in regions:
        return sorted(each["RegionName"] for each in opened.client("ec2").describe_regions()["Regions"])
    return list(dict.fromkeys(regions)) or [opened.region_name]


def clients(opened: Session, region: str) -> Client:
    """Clients of one region, each made once."""
    factory = functools.partial(opened.client, region_name=region)
    return functools.cache(factory)


def delete(swept: Sweep, confirmed: Callable[[Found], bool], said: Callable[[Found, str], None]) -> Iterator[Found]:
    """Delete what may be deleted and was confirmed, one after another, and yield each resource as it is then.

    said: called with a resource that was not deleted, and why. An interruption leaves the rest as it is.
    """
    with explained("the deletion", needs="sts:GetCallerIdentity"):
        opened = session(swept.environment)
        regional = functools.cache(lambda region: clients(opened, region))
    kinds = {kind.name: kind for kind in KINDS}
    for each in swept.found:
        if each.kept or not confirmed(each):
            yield each
            continue
        try:
            kinds[each.kind].delete(regional(each.region), each.name)
        except (ClientError, BotoCoreError, WaiterError, UndeletedError) as error:
            if isinstance(error, ClientError) and is_gone(
                error
            ):  # it was deleted meanwhile, by AWS or by another person
                yield replace(each, deleted=True)
                continue
            said(each, str(error))
            yield each.because(f"AWS did not delete it: {error}")
        else:
            yield replace(each, deleted=True)
