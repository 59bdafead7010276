"""Settings of the EC2 training host and of the SageMaker notebook instance."""

from dataclasses import dataclass
from typing import Annotated

from contract.declarations import Pattern, Range
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

    def __post_init__(self) -> None:
        check(self, "workbench")
        require(
            self.idle_stop_min % 5 == 0, "workbench.idle_stop_min", self.idle_stop_min, "a multiple of 5 (or 0 for off)"
        )
