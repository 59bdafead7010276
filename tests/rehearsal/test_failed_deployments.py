"""A rehearsed deploy that fails: CDK shows our own sentence, and the stack is rolled back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.artifact import MODEL, sha256
from ops.data.bucket import output_of
from ops.rehearse.command_line import CdkFailedError
from ops.rehearse.stage import Stage
from ops.smoke.artifact import packed
from ops.views.training_log import TrainingLines
from tests.builders import write_artifact
from tests.rehearsal.empty_stage import empty_stage, ignore

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A local AWS with the storage stack and no photos."""
    with empty_stage(tmp_path_factory.mktemp("failures")) as made:
        made.deploy("deploy-storage", ["Storage"], ignore)
        yield made


def states(stage: Stage) -> dict[str, str]:
    """The state of each stack."""
    stacks = stage.client("cloudformation").describe_stacks()["Stacks"]
    return {each["StackName"]: each["StackStatus"] for each in stacks}


def failed(stage: Stage, name: str, stacks: list[str], *settings: str) -> CdkFailedError:
    """The error of a deploy with these settings."""
    assembly = stage.folder(name)
    stage.synthesise(assembly, f"synth-{name}", *settings)
    with pytest.raises(CdkFailedError) as found:
        stage.deploy(f"deploy-{name}", stacks, ignore, assembly=assembly, lines=TrainingLines(ignore))
    return found.value


def bucket(stage: Stage) -> str:
    """The bucket of the storage stack."""
    return output_of("storage", "BucketName", environment=stage.environment.name)


def test_a_deploy_without_photos_ends_with_our_sentence_and_is_rolled_back(stage: Stage) -> None:
    error = failed(stage, "without-photos", ["Training"])

    assert "There are no photos in s3://" in " ".join(str(error).split())
    assert "kennel data upload" in " ".join(str(error).split())
    assert "ROLLBACK" in states(stage)["kennel-training"]
    assert not stage.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]


def test_a_training_that_fails_shows_its_reason_and_its_log(stage: Stage) -> None:
    s3, name = stage.client("s3"), bucket(stage)
    for split in ("train", "valid", "test"):
        for breed in ("Beagle", "Boxer"):
            s3.put_object(Bucket=name, Key=f"data/{split}/{breed}/1.jpg", Body=b"\xff\xd8\xff\xe0 not a photo")
    error = failed(stage, "bad-photos", ["Training"], "training.data_version=bad")

    assert "FailureReason: AlgorithmError" in str(error)
    assert "The end of its log:" in str(error)
    assert "1.jpg" in str(error).partition("The end of its log:")[2]
    assert "ROLLBACK" in states(stage)["kennel-training"]


def test_a_model_that_cannot_be_loaded_ends_the_deploy_and_is_rolled_back(stage: Stage, tmp_path: Path) -> None:
    model = write_artifact(tmp_path / "model")
    archive = packed(model)
    manifest = (model / "manifest.json").read_text()
    (model / "manifest.json").write_text(manifest.replace(sha256((model / MODEL).read_bytes()), "0" * 64))
    archive = packed(model)
    stage.client("s3").put_object(Bucket=bucket(stage), Key="training/broken/model.tar.gz", Body=archive)
    uri = f"s3://{bucket(stage)}/training/broken/model.tar.gz"
    error = failed(stage, "bad-model", ["Serving"], f"training.model_data={uri}")

    assert "did not pass the ping health check" in " ".join(str(error).split())
    assert "ROLLBACK" in states(stage)["kennel-serving"]
    assert not stage.client("sagemaker").list_endpoints()["Endpoints"]
