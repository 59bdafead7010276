"""The training job's custom resource: updates, rollbacks and deletes."""

from datetime import timedelta

import pytest

from tests.infra.deployment import Deployment
from tests.infra.events import BUCKET, INVENTED_ID, PHOTOS, properties


def test_an_update_of_the_options_is_a_new_job_and_the_old_one_is_deleted_after(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    options = {"epochs": "41", "sagemaker_submit_directory": "s3://assets/abc.tar.gz"}
    event = deployment.send("Update", ResourceProperties=properties(HyperParameters=options))
    assert event["PhysicalResourceId"] != old
    assert deployment.sagemaker.running == [event["PhysicalResourceId"]]
    cleanup = deployment.send("Delete", PhysicalResourceId=old)
    assert deployment.poll(cleanup) == {"IsComplete": True}
    assert deployment.sagemaker.running == [event["PhysicalResourceId"]]


def test_an_update_that_does_not_affect_the_result_keeps_the_job(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    event = deployment.send("Update", ResourceProperties=properties(MaxRuntimeSeconds="60"))
    assert event["PhysicalResourceId"] == old
    assert deployment.poll(event)["IsComplete"]


def test_a_rollback_returns_to_the_old_artifact_and_stops_the_new_job(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    new = deployment.send("Update", ResourceProperties=properties(InstanceCount="1"))["PhysicalResourceId"]
    back = deployment.send("Update", PhysicalResourceId=new)
    assert back["PhysicalResourceId"] == old
    assert deployment.poll(back)["IsComplete"]
    gone = deployment.send("Delete", PhysicalResourceId=new)
    assert deployment.poll(gone) == {"IsComplete": False}
    deployment.sagemaker.settle()
    assert deployment.poll(gone) == {"IsComplete": True}
    assert deployment.sagemaker.running == []
    assert len(deployment.sagemaker.created) == 2


def test_a_delete_stops_a_running_job_and_waits_for_its_end(deployment: Deployment) -> None:
    deployment.create()
    event = deployment.send("Delete")
    assert deployment.poll(event) == {"IsComplete": False}
    deployment.sagemaker.settle()
    assert deployment.poll(event) == {"IsComplete": True}
    assert deployment.sagemaker.running == []


def test_a_delete_keeps_a_finished_job_and_its_artifact(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(name)
    assert deployment.poll(deployment.send("Delete")) == {"IsComplete": True}
    key = f"training/artifacts/{name}/output/model.tar.gz"
    assert deployment.s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == 5


def test_a_delete_of_a_job_that_ends_at_the_same_moment_succeeds(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.fail_next("StopTrainingJob", "ValidationException", "the job is Completed")
    assert deployment.poll(deployment.send("Delete")) == {"IsComplete": False}
    deployment.sagemaker.finish(name)
    assert deployment.poll(deployment.send("Delete")) == {"IsComplete": True}


def test_a_delete_under_an_id_made_up_by_cloudformation_finds_the_running_job(deployment: Deployment) -> None:
    deployment.create()
    event = deployment.send("Delete", PhysicalResourceId=INVENTED_ID)
    assert event["PhysicalResourceId"] == INVENTED_ID
    assert deployment.poll(event) == {"IsComplete": False}
    deployment.sagemaker.settle()
    assert deployment.poll(event) == {"IsComplete": True}
    assert deployment.sagemaker.running == []


@pytest.mark.parametrize("change", ["a photo was added", "a photo was replaced", "the photos are gone"])
def test_a_delete_under_an_id_made_up_by_cloudformation_finds_the_job_after_the_photos_changed(
    deployment: Deployment, change: str
) -> None:
    deployment.create()
    if change == "a photo was added":
        deployment.upload("data/train/pug/another.jpg")
    if change == "a photo was replaced":
        deployment.upload(PHOTOS["train"], body=b"another photo")
    if change == "the photos are gone":
        for key in PHOTOS.values():
            deployment.s3.delete_object(Bucket=BUCKET, Key=key)
    event = deployment.send("Delete", PhysicalResourceId=INVENTED_ID)
    assert deployment.poll(event) == {"IsComplete": False}
    deployment.sagemaker.settle()
    assert deployment.poll(event) == {"IsComplete": True}
    assert deployment.sagemaker.running == []


def test_a_delete_under_such_an_id_finds_every_job_and_no_job_with_other_inputs(deployment: Deployment) -> None:
    names = []
    for number in range(5):  # more than one page of the list
        deployment.upload(f"data/train/pug/{number}.jpg")
        deployment.physical_id = ""
        names.append(deployment.create()["PhysicalResourceId"])
    deployment.physical_id = ""
    other = deployment.create(InstanceCount="1")["PhysicalResourceId"]
    event = deployment.send("Delete", PhysicalResourceId=INVENTED_ID)
    deployment.poll(event)
    deployment.sagemaker.settle()
    assert len(set(names)) == 5
    assert deployment.sagemaker.running == [other]


def test_a_delete_under_such_an_id_leaves_jobs_that_ended_long_ago_alone(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    deployment.sagemaker.time += timedelta(days=1)
    deployment.upload("data/train/pug/another.jpg")
    event = deployment.send("Delete", PhysicalResourceId=INVENTED_ID)
    assert event["Jobs"] == []


@pytest.mark.parametrize("why", ["no job was started", "the photos are gone", "the bucket is gone"])
def test_a_delete_succeeds_if_there_is_nothing_to_delete(deployment: Deployment, why: str) -> None:
    if why == "the photos are gone":
        for key in PHOTOS.values():
            deployment.s3.delete_object(Bucket=BUCKET, Key=key)
    if why == "the bucket is gone":
        deployment.delete_bucket()
    event = deployment.send("Delete", PhysicalResourceId=INVENTED_ID)
    assert deployment.poll(event) == {"IsComplete": True}
