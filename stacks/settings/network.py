"""Ids of a VPC that exists, in the settings of the job, the model and the workbench."""

from collections.abc import Sequence

from contract.declarations import Pattern
from stacks.settings.rules import require

_ID = r"([0-9a-f]{8}|[0-9a-f]{17})"
SUBNETS = Pattern(rf"subnet-{_ID}", "subnets such as subnet-0123456789abcdef0, comma-separated")
SECURITY_GROUPS = Pattern(rf"sg-{_ID}", "security groups such as sg-0123456789abcdef0, comma-separated")
SUBNET = Pattern(rf"|subnet-{_ID}", "a subnet such as subnet-0123456789abcdef0, or empty")
VPC = Pattern(rf"|vpc-{_ID}", "a VPC such as vpc-0123456789abcdef0, or empty")

MOST_SUBNETS, MOST_SECURITY_GROUPS = 16, 5
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_VpcConfig.html"""


def check_vpc(
    section: str, subnets: Sequence[str], groups: Sequence[str], *, least: int = 1, because: str = ""
) -> None:
    """Check the subnets and security groups of a section: both or none, as many as SageMaker accepts, each once.

    least: how many subnets there must be, if any. because: why, after a comma. Raises SettingsError.
    """
    for name, found, other, its in (
        ("subnets", subnets, "security_groups", groups),
        ("security_groups", groups, "subnets", subnets),
    ):
        require(
            bool(found) or not its,
            f"{section}.{name}",
            "",
            f"set too, because {section}.{other} is {','.join(its)!r} and SageMaker needs both",
        )
    for name, found, low, high, why in (
        ("subnets", subnets, least, MOST_SUBNETS, because),
        ("security_groups", groups, 1, MOST_SECURITY_GROUPS, ""),
    ):
        require(
            not found or low <= len(set(found)) == len(found) <= high,
            f"{section}.{name}",
            ",".join(found),
            f"{low} to {high} different ids{why}",
        )
