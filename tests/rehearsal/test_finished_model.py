"""A rehearsal of a finished artifact: it is deployed, and nothing is trained."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from inference.artifact import MANIFEST, ArtifactError
from ops.rehearse.finished_model import deploying
from ops.rehearse.photos import photos
from ops.rehearse.plan import Plan
from sample_dogs.dataset import DEFAULT_COUNTS, write_sample
from tests.builders import write_artifact


@pytest.fixture(params=["us-east-1", "eu-west-1"])
def s3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("s3", region_name=request.param)


def test_its_archive_is_where_the_setting_names_it(s3: Any, tmp_path: Path) -> None:
    write_artifact(tmp_path / "model")
    plan = deploying(Plan(folder=tmp_path, model=tmp_path / "model"), s3)

    uri = plan.overrides()["training.model_data"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    archive = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        assert MANIFEST in files.getnames()


def test_a_folder_without_an_artifact_is_refused(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="There is no model in"):
        deploying(Plan(folder=tmp_path, model=tmp_path / "missing"), s3)
    assert s3.list_buckets()["Buckets"] == []


def test_its_photos_are_the_held_out_ones_of_a_rehearsal_that_trains(tmp_path: Path) -> None:
    asked = photos(Plan(folder=tmp_path, model=tmp_path), lambda *_: None)
    write_sample(tmp_path / "all", counts={"test": DEFAULT_COUNTS["test"]})

    names = {photo.path.name: photo.path.read_bytes() for photo in asked.used("test")}
    assert names == {path.name: path.read_bytes() for path in (tmp_path / "all").rglob("*.jpg")}


def test_nothing_is_trained_so_no_weights_are_looked_for(tmp_path: Path) -> None:
    plan = Plan(folder=tmp_path, model=tmp_path)
    # exact: the name of a file or of a choice, not a number
    assert (plan.weights, plan.sends_weights) == ("", False)
    assert "mode" not in plan.hyperparameters()


@pytest.mark.parametrize(
    "setting", ["training.pretrained_uri=s3://theirs/w.safetensors", "training.model_data=s3://theirs/m.tar.gz"]
)
def test_settings_of_the_operator_choose_the_weights(setting: str, tmp_path: Path) -> None:
    plan = Plan(folder=tmp_path, settings=(setting,))
    # exact: the name of a file or of a choice, not a number
    assert (plan.weights, plan.sends_weights) == ("", False)
    assert "mode" not in plan.hyperparameters()
