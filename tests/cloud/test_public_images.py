"""The public parameters of machine images."""

from pathlib import Path

from tests.cloud.engine_process import run_in_engine

LOOK = """
from ministack.services import ssm
from rehearsal.cloud.engine.public_images import publish_machine_images
publish_machine_images()
deep = "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.12-ubuntu-24.04/latest/ami-id"
for name in (deep, "/aws/service/global-infrastructure/regions", "/mine/ami-id"):
    print((ssm._public_parameter(name) or {}).get("Value"))
"""


def test_every_public_parameter_of_a_machine_image_exists(tmp_path: Path) -> None:
    found, region, mine = run_in_engine(LOOK, tmp_path).stdout.split()
    assert found.startswith("ami-")
    assert (region, mine) == ("None", "None")
