"""`kennel rehearse` of another environment, with a setting of the operator."""

import json
from pathlib import Path

import pytest

from tests.builders import write_artifact
from tests.rehearsal.deployments import check_nothing_is_left, few_photos, rehearse


@pytest.mark.slow
def test_production_is_deployed_with_the_setting_and_destroyed_but_for_its_bucket(tmp_path: Path) -> None:
    """It protects its stacks from a deletion, and keeps its bucket."""
    photos, model, folder = few_photos(tmp_path / "photos"), write_artifact(tmp_path / "model"), tmp_path / "rehearsal"
    settings = ["--env", "production", "-c", "serving.scaling.max_instances=5"]
    words = ["--data", str(photos), "--model", str(model), "--photos", "2", "--full"]
    run = rehearse(folder, *settings, *words)

    assert run.returncode == 0, run.stdout + run.stderr
    assert "left on purpose: bucket kennel-production-storage-" in run.stdout
    assert "nothing else is left in the account" in run.stdout
    template = json.loads((folder / "aws" / "assembly" / "Serving.template.json").read_text())
    (target,) = [each for each in template["Resources"].values() if each["Type"].endswith("::ScalableTarget")]
    assert target["Properties"]["MaxCapacity"] == 5
    check_nothing_is_left(folder, tmp_path / "tmp")
