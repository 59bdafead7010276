"""GetResources for services whose tags the engine has, but does not list by them.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from ministack.core import responses
from ministack.services import cloudwatch, cloudwatch_logs, ec2, tagging

from rehearsal.cloud.api import Json

Tagged = Callable[[], Iterable[tuple[str, Mapping[str, str]]]]
"""The ARN and the tags of each resource of a service."""

_EC2_TYPES = {
    "eipalloc": "elastic-ip",
    "i": "instance",
    "nat": "natgateway",
    "vol": "volume",
    "vpce": "vpc-endpoint",
}
"""The type in an ARN by how an id begins: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html"""


def list_by_tags(service: str, tagged: Tagged) -> None:
    """Let GetResources list the resources of a service that the engine lacks."""

    def collect() -> Iterator[tuple[str, list[Json]]]:
        for arn, tags in tagged():
            if arn.split(":")[3] != responses.get_region():
                continue
            yield arn, [{"Key": key, "Value": value} for key, value in tags.items()]

    tagging._COLLECTORS[service] = collect


def list_engine_services_by_tags() -> None:
    """Let it list those of EC2, CloudWatch and its logs."""
    tagging._matches_type_filters = is_of_a_type
    list_by_tags("cloudwatch", lambda: list(cloudwatch._resource_tags.items()))
    list_by_tags("ec2", _of_ec2)
    list_by_tags("logs", _of_logs)


def is_of_a_type(arn: str, wanted: Iterable[str]) -> bool:
    """Whether an ARN is of one of these types, such as `logs:log-group` or `s3`; of any if there is none.

    The engine takes `log-group:` for the type of `log-group:/aws/lambda/any`.
    """
    _, _, service, _, _, resource = arn.split(":", 5)
    own = re.split("[/:]", resource, maxsplit=1)[0]
    types = [each.partition(":") for each in wanted]
    return not types or any(of == service and kind in ("", own) for of, _, kind in types)


def _of_ec2() -> Iterator[tuple[str, Mapping[str, str]]]:
    """A resource stays in the list for a while after its deletion, as on AWS."""
    place = f"arn:aws:ec2:{responses.get_region()}:{responses.get_account_id()}"
    for name, tags in list(ec2._tags.items()):
        kind = _EC2_TYPES.get(name.rpartition("-")[0])
        if kind:
            yield f"{place}:{kind}/{name}", {tag["Key"]: tag["Value"] for tag in tags}


def _of_logs() -> Iterator[tuple[str, Mapping[str, str]]]:
    place = f"arn:aws:logs:{responses.get_region()}:{responses.get_account_id()}:log-group"
    for name, group in list(cloudwatch_logs._log_groups.items()):
        yield f"{place}:{name}", group.get("tags", {})
