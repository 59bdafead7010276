"""The training job's custom resource: what a create starts, adopts, reuses or rejects."""

import pytest

from contract.weights import object_key
from stacks.training.handler.aws_errors import NOT_YET_PROPAGATED, PROPAGATION_WAITS_S, TrainingError
from stacks.training.handler.jobs import MOST_ATTEMPTS
from tests.infra.deployment import Deployment
from tests.infra.events import BUCKET, PHOTOS


def test_a_create_starts_one_job_and_names_it(deployment: Deployment) -> None:
    event = deployment.create()
    assert deployment.sagemaker.running == [event["PhysicalResourceId"]]
    assert event["PhysicalResourceId"].startswith("kennel-")


def test_the_job_trains_on_two_hosts_that_see_all_photos(deployment: Deployment) -> None:
    deployment.create()
    (request,) = deployment.sagemaker.created
    assert request["ResourceConfig"] == {
        "InstanceType": "ml.g4dn.xlarge",
        "InstanceCount": 2,
        "VolumeSizeInGB": 100,
    }
    (channel,) = request["InputDataConfig"]
    assert channel["ChannelName"] == "data"
    assert channel["DataSource"]["S3DataSource"] == {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://{BUCKET}/data/",
        "S3DataDistributionType": "FullyReplicated",
    }
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 2700}


def test_the_toolkit_is_started_without_the_images_start_script(deployment: Deployment) -> None:
    """The script calls jq, which the image lacks, and then names a library to every process that was not built."""
    deployment.create()
    (request,) = deployment.sagemaker.created
    algorithm = request["AlgorithmSpecification"]
    assert algorithm["ContainerEntrypoint"] == ["/bin/bash"]
    assert algorithm["ContainerArguments"] == ["-c", "exec train"]


def test_checkpoints_go_to_a_folder_of_these_inputs_and_photos(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    (request,) = deployment.sagemaker.created
    assert request["CheckpointConfig"] == {
        "S3Uri": f"s3://{BUCKET}/training/checkpoints/{name}",
        "LocalPath": "/opt/ml/checkpoints",
    }


def test_a_second_attempt_resumes_from_the_checkpoints_of_the_first(deployment: Deployment) -> None:
    first = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.expire(first)
    second = deployment.create()["PhysicalResourceId"]

    folders = [request["CheckpointConfig"]["S3Uri"] for request in deployment.sagemaker.created]

    assert second != first
    assert len(folders) == 2
    assert len(set(folders)) == 1


@pytest.mark.parametrize("uri", ["s3://weights/resnet50.safetensors", f"s3://{BUCKET}/{object_key('0' * 64)}"])
def test_pretrained_weights_are_a_channel_of_their_own_on_every_host(deployment: Deployment, uri: str) -> None:
    """The training program finds its folder in SM_CHANNEL_PRETRAINED (tests/unit/test_training_config.py)."""
    deployment.create(Pretrained=uri)
    (request,) = deployment.sagemaker.created
    photos, pretrained = request["InputDataConfig"]
    assert photos["ChannelName"] == "data"
    assert pretrained == {
        "ChannelName": "pretrained",
        "InputMode": "File",
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        },
    }


@pytest.mark.parametrize("missing", ["train", "valid", "test"])
def test_missing_photos_start_nothing_and_the_error_has_the_upload_command(
    deployment: Deployment, missing: str
) -> None:
    deployment.s3.delete_object(Bucket=BUCKET, Key=PHOTOS[missing])
    with pytest.raises(TrainingError) as caught:
        deployment.create()
    assert f"s3://{BUCKET}/data/{missing}/" in str(caught.value)
    assert f"kennel data upload DIR s3://{BUCKET}/data" in str(caught.value)
    assert deployment.sagemaker.created == []


def test_a_create_that_is_retried_does_not_start_a_second_job(deployment: Deployment) -> None:
    first = deployment.create()
    assert deployment.create()["PhysicalResourceId"] == first["PhysicalResourceId"]
    assert len(deployment.sagemaker.created) == 1


def test_a_create_whose_response_was_lost_adopts_its_job(deployment: Deployment) -> None:
    # boto3 retries after a lost response; the first call had succeeded
    deployment.sagemaker.fail_next("CreateTrainingJob", "ResourceInUse", "Training job names must be unique")
    assert deployment.create()["PhysicalResourceId"].startswith("kennel-")


def test_a_finished_job_is_reused(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(name)
    event = deployment.create()
    assert event["PhysicalResourceId"] == name
    assert deployment.poll(event)["IsComplete"]
    assert len(deployment.sagemaker.created) == 1


def test_a_finished_job_whose_artifact_was_deleted_is_trained_again(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(name)
    deployment.s3.delete_object(Bucket=BUCKET, Key=f"training/artifacts/{name}/output/model.tar.gz")
    assert deployment.create()["PhysicalResourceId"] == f"{name}-2"


def test_an_artifact_under_another_prefix_is_not_reused(deployment: Deployment) -> None:
    """After a change of `storage.artifact_prefix`, the endpoint's role may not read the old prefix."""
    first = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(first)
    deployment.physical_id = ""
    second = deployment.create(ArtifactPrefix="models/")["PhysicalResourceId"]
    assert deployment.sagemaker.running == [second]
    assert second != first


@pytest.mark.parametrize("end", ["fail", "stop"])
def test_a_deploy_after_a_failed_job_starts_another_with_a_new_name(deployment: Deployment, end: str) -> None:
    name = deployment.create()["PhysicalResourceId"]
    if end == "fail":
        deployment.sagemaker.fail(name, "out of memory")
    else:
        deployment.sagemaker.stop_training_job(TrainingJobName=name)
    assert deployment.create()["PhysicalResourceId"] == f"{name}-2"
    assert deployment.create()["PhysicalResourceId"] == f"{name}-2"
    assert len(deployment.sagemaker.created) == 2


def test_inputs_that_always_fail_are_given_up(deployment: Deployment) -> None:
    for _ in range(MOST_ATTEMPTS):
        deployment.sagemaker.fail(deployment.create()["PhysicalResourceId"], "no")
    with pytest.raises(TrainingError, match=r"attempts of training job .* failed or were stopped"):
        deployment.create()
    assert len(deployment.sagemaker.created) == MOST_ATTEMPTS


@pytest.mark.parametrize("message", NOT_YET_PROPAGATED)
def test_it_waits_for_a_new_role_to_propagate(deployment: Deployment, message: str) -> None:
    for _ in range(2):
        deployment.sagemaker.fail_next("CreateTrainingJob", "ValidationException", f"{message} for role x")
    deployment.create()
    assert deployment.slept == list(PROPAGATION_WAITS_S[:2])
    assert len(deployment.sagemaker.running) == 1


def test_a_role_that_never_propagates_fails_the_deploy_with_sagemakers_message(deployment: Deployment) -> None:
    for _ in range(len(PROPAGATION_WAITS_S) + 1):
        deployment.sagemaker.fail_next("CreateTrainingJob", "ValidationException", "Could not assume role x")
    with pytest.raises(TrainingError, match="Could not assume role x"):
        deployment.create()


def test_a_missing_quota_is_named_and_not_retried(deployment: Deployment) -> None:
    deployment.sagemaker.fail_next("CreateTrainingJob", "ResourceLimitExceeded", "The account-level limit is 0")
    with pytest.raises(
        TrainingError, match=r"'ml\.g4dn\.xlarge for training job usage' must be at least 2.*request-service-quota"
    ):
        deployment.create()
    assert deployment.slept == []


def test_any_other_error_fails_the_deploy_at_once(deployment: Deployment) -> None:
    deployment.sagemaker.fail_next("CreateTrainingJob", "ValidationException", "Invalid image")
    with pytest.raises(TrainingError, match="Invalid image"):
        deployment.create()
    assert deployment.slept == []
