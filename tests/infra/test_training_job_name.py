"""The name of a training job: which inputs change it, and which photos count."""

from pathlib import Path

import pytest
from aws_cdk import App, Stack

from contract.training_container import CHECKPOINT_EVERY
from contract.weights import RESNET50_IMAGENET, object_key
from stacks.settings import TrainingSettings
from stacks.training.handler.aws_errors import TrainingError
from stacks.training.handler.request import JobRequest
from stacks.training.source_archive import SourceArchive
from stacks.training.source_files import HOST_REQUIREMENTS, REPORT_PAGE, REQUIREMENTS
from stacks.training.stack import hyperparameters
from tests.infra.deployment import Deployment, listing, name_for
from tests.infra.events import BUCKET, PHOTOS, Json, properties


@pytest.mark.parametrize(
    "change",
    [
        {"Image": "another-image"},
        {"InstanceType": "ml.g5.xlarge"},
        {"InstanceCount": "1"},
        {"HyperParameters": {"sagemaker_submit_directory": "s3://assets/def.tar.gz", "epochs": "40"}},
        {"HyperParameters": {"sagemaker_submit_directory": "s3://assets/abc.tar.gz", "epochs": "41"}},
        {"Pretrained": "s3://weights/resnet50.safetensors"},
        {"Pretrained": f"s3://{BUCKET}/{object_key('0' * 64)}"},
        {"DataVersion": "2026-11"},
    ],
    ids=[
        "image",
        "instance type",
        "instance count",
        "code",
        "option",
        "weights",
        "weights of the bucket",
        "data version",
    ],
)
def test_a_change_of_an_input_is_a_new_job(deployment: Deployment, change: Json) -> None:
    assert name_for(deployment) != name_for(deployment, **change)


def test_the_number_of_checkpoints_is_no_new_job(deployment: Deployment) -> None:
    """Otherwise a deploy that only saves less often would pay for the same result a second time."""

    def name_with(**options: str) -> str:
        return name_for(deployment, HyperParameters={"sagemaker_submit_directory": "s3://assets/abc.tar.gz", **options})

    assert name_with(epochs="40") == name_with(epochs="40", **{CHECKPOINT_EVERY: "5"})


def test_other_versions_of_the_installed_packages_are_a_new_job(deployment: Deployment, tmp_path: Path) -> None:
    """From the requirements, over the archive and its key, to the name."""

    def name_with(requirements: str, folder: Path) -> str:
        (folder / "training" / "report").mkdir(parents=True)
        for file in (REQUIREMENTS, HOST_REQUIREMENTS, REPORT_PAGE):
            (folder / file).write_text(requirements if file == REQUIREMENTS else "")
        stack = Stack(App())
        source = SourceArchive(stack, "Source", root=folder)
        sent = stack.resolve(hyperparameters(source, TrainingSettings()))
        return name_for(deployment, HyperParameters={key: str(value) for key, value in sent.items()})

    same, again, other = (
        name_with(requirements, tmp_path / str(number))
        for number, requirements in enumerate(("onnx==1.23.2", "onnx==1.23.2", "onnx==1.23.3"))
    )
    assert same == again
    assert same != other


def test_imagenets_weights_are_the_same_job_from_the_bucket_and_from_the_model_hub(deployment: Deployment) -> None:
    """Otherwise the deploy after `kennel weights upload` would pay for the same result a second time."""
    sent = f"s3://{BUCKET}/{object_key(RESNET50_IMAGENET.sha256)}"
    assert name_for(deployment, Pretrained=sent) == name_for(deployment)


def test_only_the_storage_stacks_bucket_names_weights_by_their_content(deployment: Deployment) -> None:
    """There `kennel weights upload` wrote the name. Elsewhere a file with such a name may be any file."""
    theirs = name_for(deployment, Pretrained=f"s3://theirs/{object_key(RESNET50_IMAGENET.sha256)}")
    assert theirs != name_for(deployment)


@pytest.mark.parametrize("change", ["another photo", "another size", "another content", "one less"])
def test_other_photos_are_a_new_job(deployment: Deployment, change: str) -> None:
    before = name_for(deployment)
    if change == "one less":
        deployment.upload("data/train/pug/another.jpg")
        before = name_for(deployment)
        deployment.s3.delete_object(Bucket=BUCKET, Key="data/train/pug/another.jpg")
    elif change == "another photo":
        deployment.upload("data/train/pug/another.jpg")
    else:
        deployment.upload(PHOTOS["train"], body=b"larger photo" if change == "another size" else b"PHOTO")
    assert name_for(deployment) != before


def test_the_photos_of_another_bucket_count(deployment: Deployment) -> None:
    deployment.s3.create_bucket(Bucket="theirs")
    for key in PHOTOS.values():
        body = deployment.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        deployment.s3.put_object(Bucket="theirs", Key=key.replace("data/", "dogs/", 1), Body=body)
    theirs = {"DataBucket": "theirs", "DataPrefix": "dogs/"}
    same = name_for(deployment, **theirs)
    deployment.s3.put_object(Bucket="theirs", Key="dogs/train/pug/another.jpg", Body=b"photo")

    assert same == name_for(deployment)  # the same photos are the same job, wherever they are
    assert name_for(deployment, **theirs) != same


def test_the_job_reads_the_other_bucket_and_writes_to_its_own() -> None:
    request = JobRequest.of({**properties(), "DataBucket": "theirs", "DataPrefix": "dogs/"})
    arguments = request.arguments("kennel-1", "ml.g4dn.xlarge")
    assert arguments["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://theirs/dogs/"
    assert arguments["OutputDataConfig"]["S3OutputPath"].startswith(f"s3://{BUCKET}/")


@pytest.mark.parametrize(
    "change",
    [
        {"RoleArn": "another"},
        {"VolumeGiB": "50"},
        {"MaxRuntimeSeconds": "60"},
        {"MaxWaitSeconds": "2700"},
        {"FallbackInstanceTypes": "ml.g5.xlarge"},
        {"Metrics": {}},
    ],
    ids=["role", "volume", "time limit", "spot", "fallbacks", "metrics"],
)
def test_a_change_that_does_not_affect_the_result_is_the_same_job(deployment: Deployment, change: Json) -> None:
    assert name_for(deployment) == name_for(deployment, **change)


def test_names_fit_sagemakers_limit(deployment: Deployment) -> None:
    assert len(name_for(deployment, NamePrefix="k" * 20)) + len("-99-on-trn1n-32xlarge") <= 63


def test_the_photos_digest_as_data_version_gives_the_same_name(deployment: Deployment) -> None:
    assert name_for(deployment) == name_for(deployment, DataVersion=listing(deployment))


def test_photos_that_changed_since_the_deploy_began_start_nothing(deployment: Deployment) -> None:
    version = listing(deployment)
    deployment.upload("data/train/pug/late.jpg")
    with pytest.raises(TrainingError, match="changed during the deploy"):
        deployment.create(DataVersion=version)
    assert deployment.sagemaker.created == []


def test_a_data_version_other_than_a_digest_is_not_compared_with_the_photos(deployment: Deployment) -> None:
    before = name_for(deployment, DataVersion="spring")
    deployment.upload("data/train/pug/late.jpg")
    assert name_for(deployment, DataVersion="spring") == before


def test_a_rollback_needs_no_photos(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    for key in PHOTOS.values():
        deployment.s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(TrainingError, match="kennel data upload"):
        deployment.send("Update", ResourceProperties=properties(InstanceCount="1"))
    assert deployment.send("Update")["PhysicalResourceId"] == old


def test_a_rollback_finds_the_old_job_after_the_photos_changed(deployment: Deployment) -> None:
    version = listing(deployment)
    old = deployment.create(DataVersion=version)["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    deployment.upload("data/train/pug/new.jpg")
    other = properties(DataVersion=listing(deployment))
    new = deployment.send("Update", ResourceProperties=other)["PhysicalResourceId"]
    deployment.sagemaker.fail(new, "no")
    back = deployment.send("Update", PhysicalResourceId=new, ResourceProperties=properties(DataVersion=version))
    assert back["PhysicalResourceId"] == old
    assert len(deployment.sagemaker.created) == 2
