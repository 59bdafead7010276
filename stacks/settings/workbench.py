"""Settings of the EC2 training host and of the SageMaker notebook instance."""

from dataclasses import dataclass
from typing import Annotated

from contract.declarations import Pattern, Range
from stacks.settings.network import MOST_SECURITY_GROUPS, SECURITY_GROUPS, SUBNET, VPC
from stacks.settings.rules import SAGEMAKER_INSTANCE_TYPE, check, require


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkbenchSettings:
    host: bool = True
    """Whether there is an EC2 training host."""
    host_instance_type: Annotated[
        str, Pattern(r"[a-z0-9-]+\.[0-9a-z]+", "an instance type of EC2, such as g4dn.xlarge")
    ] = "g4dn.xlarge"
    """Type of the host, billed while it runs. A g4dn.xlarge has one T4 GPU."""
    host_volume_gib: Annotated[int, Range(75, 16_384, "GiB")] = 125
    """Root volume of the host; the image alone takes about half."""
    host_image: Annotated[
        str,
        Pattern(
            r"ami-[0-9a-f]{8,17}|resolve:ssm:/[A-Za-z0-9_./-]+(:[A-Za-z0-9_.-]+)?",
            "ami-... or resolve:ssm:/PARAMETER",
        ),
    ] = "resolve:ssm:/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.12-ubuntu-24.04/latest/ami-id"
    """The Deep Learning AMI: resolved once, when the host is launched, so that no later deploy replaces the host
    (docs/decisions/0005-workbench-image.md). Or an ami-... of the region."""
    zone_index: Annotated[int, Range(0, 5)] = 0
    """Which of the region's availability zones, in CloudFormation's order. Take the next if EC2 has no capacity."""
    idle_stop_min: Annotated[int, Range(0, 1440, "minutes")] = 60
    """The host stops itself after this long under 5 % CPU; 0 turns it off. A multiple of 5, the metric's period."""
    notebook: bool = True
    """Whether there is a SageMaker notebook instance."""
    notebook_instance_type: Annotated[str, SAGEMAKER_INSTANCE_TYPE] = "ml.g4dn.xlarge"
    """Type of the notebook instance, billed while it runs. An ml.g4dn.xlarge has one T4 GPU."""
    notebook_volume_gib: Annotated[int, Range(5, 16_384, "GiB")] = 50
    """Volume of the notebook instance, with its home folder."""
    notebook_idle_stop_min: Annotated[int, Range(0, 1440, "minutes")] = 60
    """The notebook instance stops itself after this long without use; 0 turns it off. An open browser tab does not
    count as use."""
    notebook_internet: bool = True
    """Whether the notebook instance reaches the internet through SageMaker's own network. False needs `subnet`, with
    a route to the services that the notebook uses (docs/environments.md). A change replaces the notebook instance and
    deletes its volume."""
    vpc: Annotated[str, VPC] = ""
    """Your VPC, in which Kennel makes a security group without inbound rules. Empty: `security_groups`, or a VPC of
    Kennel's own."""
    subnet: Annotated[str, SUBNET] = ""
    """Subnet of your VPC for the host and the notebook instance. A change replaces both and deletes their volumes.
    Empty: a VPC of Kennel's own, with one public subnet."""
    security_groups: Annotated[tuple[str, ...], SECURITY_GROUPS] = ()
    """Security groups of the host and the notebook instance in `subnet`, 1 to 5. They need no inbound rule. Empty:
    the one that Kennel makes in `vpc`."""

    def __post_init__(self) -> None:
        check(self, "workbench")
        require(
            self.idle_stop_min % 5 == 0, "workbench.idle_stop_min", self.idle_stop_min, "a multiple of 5 (or 0 for off)"
        )
        self._check_network()

    def _check_network(self) -> None:
        groups = ",".join(self.security_groups)
        for name, value in (("vpc", self.vpc), ("security_groups", groups)):
            require(
                not value or bool(self.subnet),
                "workbench.subnet",
                self.subnet,
                f"a subnet of your VPC, because workbench.{name} is {value!r}",
            )
        require(
            not self.subnet or bool(self.vpc or groups),
            "workbench.vpc",
            self.vpc,
            f"the VPC of workbench.subnet ({self.subnet}), unless workbench.security_groups names groups there",
        )
        require(
            len(set(self.security_groups)) == len(self.security_groups) <= MOST_SECURITY_GROUPS,
            "workbench.security_groups",
            groups,
            f"at most {MOST_SECURITY_GROUPS} different ids",
        )
        require(
            not self.subnet or self.zone_index == 0,
            "workbench.zone_index",
            self.zone_index,
            f"0 with workbench.subnet ({self.subnet}), which is in one zone already",
        )
        require(
            self.notebook_internet or bool(self.subnet),
            "workbench.notebook_internet",
            self.notebook_internet,
            "true without workbench.subnet: Kennel's own VPC has no way for the notebook to the code, and to the "
            "call with which it stops itself",
        )
