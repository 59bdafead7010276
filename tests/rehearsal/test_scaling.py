"""`make rehearse --load`: the deployed endpoint follows a load of real calls."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.rehearsal.deployments import SHORT, few_photos, rehearse


@pytest.mark.slow
def test_a_load_scales_the_deployed_endpoint_and_is_drawn(tmp_path: Path) -> None:
    data = few_photos(tmp_path / "photos")
    folder = tmp_path / "rehearsal"

    done = rehearse(folder, "--data", str(data), *SHORT, "--load")

    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) calls answered, (\d+) failed; instances in service: ([\d, then]+)", done.stdout)
    assert found, done.stdout
    assert int(found[1]) > 100
    assert int(found[2]) == 0
    counts = [int(count) for count in found[3].split(", then ")]
    assert (counts[0], max(counts), counts[-1]) == (1, 3, 1)
    with Image.open(folder / "load.png") as picture:
        assert picture.format == "PNG"
