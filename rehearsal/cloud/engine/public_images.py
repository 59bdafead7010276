"""The public parameters of machine images, which AWS publishes in every account: the engine has those of two images.

All of them name the engine's one image of Amazon Linux. No machine starts from it (docs/rehearsal.md).
"""

import re
from typing import Any

from ministack.services import ssm

_OF_AN_IMAGE = re.compile(r"/aws/service/.+/(ami-id|image_id)")
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html"""


class MachineImages(dict[str, str]):
    """Parameter -> id of the image. It has every public parameter of a machine image."""

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self and _OF_AN_IMAGE.fullmatch(name):
            return next(iter(self.values()))
        return super().get(name, default)


def publish_machine_images() -> None:
    """Let the engine find them."""
    ssm._PUBLIC_AMI_PARAMETERS = MachineImages(ssm._PUBLIC_AMI_PARAMETERS)
