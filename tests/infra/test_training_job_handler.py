"""The training job's custom resource, played through CloudFormation's events on moto's S3 and a fake SageMaker."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from stacks.training.handler.events import is_complete, on_event
from stacks.training.handler.jobs import MOST_ATTEMPTS, Jobs
from stacks.training.handler.refusals import NOT_YET_PROPAGATED, PROPAGATION_WAITS_S, TrainingError
from stacks.training.handler.request import Location
from tests.infra.events import BUCKET, INVENTED_ID, PHOTOS, Json, properties
from tests.infra.fake_sagemaker import FakeSageMaker


@dataclass
class Deployment:
    """CloudFormation with one training job in its stack: calls the handler as the Provider framework does."""

    sagemaker: FakeSageMaker
    s3: Any
    slept: list[float] = field(default_factory=list)
    physical_id: str = ""

    @property
    def jobs(self) -> Jobs:
        clock = lambda: self.sagemaker.time  # noqa: E731
        return Jobs(sagemaker=self.sagemaker, s3=self.s3, region="eu-west-1", sleep=self.slept.append, now=clock)

    def begin(self, request: str, **event: Any) -> Json:
        event = {"RequestType": request, "ResourceProperties": properties(), **event}
        if self.physical_id:
            event.setdefault("PhysicalResourceId", self.physical_id)
        answer = on_event(event, None, self.jobs)
        return {**event, **answer}

    def create(self, **changes: Any) -> Json:
        event = self.begin("Create", ResourceProperties=properties(**changes))
        self.physical_id = event["PhysicalResourceId"]
        return event

    def look(self, event: Json) -> Json:
        return is_complete(event, None, self.jobs)

    def upload(self, *keys: str, body: bytes = b"photo") -> None:
        for key in keys:
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def lose_bucket(self) -> None:
        with contextlib.suppress(self.s3.exceptions.NoSuchBucket):
            for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
                self.s3.delete_object(Bucket=BUCKET, Key=item["Key"])
            self.s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("s3", region_name="us-east-1")


@pytest.fixture
def deployment(s3: Any) -> Iterator[Deployment]:
    s3.create_bucket(Bucket=BUCKET)
    deployment = Deployment(FakeSageMaker(s3), s3)
    deployment.upload(*PHOTOS.values())
    yield deployment
    deployment.lose_bucket()


# -- create


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


def test_checkpoints_go_to_a_folder_of_these_inputs_and_photos(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    (request,) = deployment.sagemaker.created
    assert request["CheckpointConfig"] == {
        "S3Uri": f"s3://{BUCKET}/training/checkpoints/{name}",
        "LocalPath": "/opt/ml/checkpoints",
    }


def test_a_second_try_goes_on_from_the_checkpoints_of_the_first(deployment: Deployment) -> None:
    first = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.expire(first)
    second = deployment.create()["PhysicalResourceId"]

    folders = [request["CheckpointConfig"]["S3Uri"] for request in deployment.sagemaker.created]

    assert second != first
    assert len(folders) == 2
    assert len(set(folders)) == 1


def test_pretrained_weights_are_a_channel_of_their_own(deployment: Deployment) -> None:
    deployment.create(Pretrained="s3://weights/resnet50.safetensors")
    (request,) = deployment.sagemaker.created
    assert [channel["ChannelName"] for channel in request["InputDataConfig"]] == ["data", "pretrained"]
    assert request["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://weights/resnet50.safetensors"


@pytest.mark.parametrize("missing", ["train", "valid", "test"])
def test_missing_photos_fail_before_an_instance_starts_with_the_command_that_uploads(
    deployment: Deployment, missing: str
) -> None:
    deployment.s3.delete_object(Bucket=BUCKET, Key=PHOTOS[missing])
    with pytest.raises(TrainingError) as refusal:
        deployment.create()
    assert f"s3://{BUCKET}/data/{missing}/" in str(refusal.value)
    assert f"kennel data upload DIR s3://{BUCKET}/data" in str(refusal.value)
    assert deployment.sagemaker.created == []


def test_a_create_that_is_retried_does_not_start_a_second_job(deployment: Deployment) -> None:
    first = deployment.create()
    assert deployment.create()["PhysicalResourceId"] == first["PhysicalResourceId"]
    assert len(deployment.sagemaker.created) == 1


def test_a_create_whose_answer_was_lost_adopts_its_job(deployment: Deployment) -> None:
    # boto3 tries again when an answer does not arrive; the first try had got through
    deployment.sagemaker.fail_next("CreateTrainingJob", "ResourceInUse", "Training job names must be unique")
    assert deployment.create()["PhysicalResourceId"].startswith("kennel-")


def test_a_finished_job_is_reused_and_not_paid_for_again(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(name)
    event = deployment.create()
    assert event["PhysicalResourceId"] == name
    assert deployment.look(event)["IsComplete"]
    assert len(deployment.sagemaker.created) == 1


def test_a_finished_job_whose_artifact_was_deleted_is_trained_again(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(name)
    deployment.s3.delete_object(Bucket=BUCKET, Key=f"training/artifacts/{name}/output/model.tar.gz")
    assert deployment.create()["PhysicalResourceId"] == f"{name}-2"


def test_an_artifact_under_another_prefix_is_no_result(deployment: Deployment) -> None:
    """The endpoint's role reads one prefix, and the handler lists one: `storage.artifact_prefix` was changed."""
    first = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(first)
    deployment.physical_id = ""
    second = deployment.create(ArtifactPrefix="models/")["PhysicalResourceId"]
    assert deployment.sagemaker.running == [second]
    assert second != first


@pytest.mark.parametrize("end", ["fail", "stop"])
def test_a_deploy_after_a_dead_job_starts_another_under_a_free_name(deployment: Deployment, end: str) -> None:
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


@pytest.mark.parametrize("words", NOT_YET_PROPAGATED)
def test_a_role_that_is_not_known_everywhere_yet_is_waited_for(deployment: Deployment, words: str) -> None:
    for _ in range(2):
        deployment.sagemaker.fail_next("CreateTrainingJob", "ValidationException", f"{words} for role x")
    deployment.create()
    assert deployment.slept == list(PROPAGATION_WAITS_S[:2])
    assert len(deployment.sagemaker.running) == 1


def test_a_role_that_never_becomes_known_ends_the_deploy_with_sagemakers_words(deployment: Deployment) -> None:
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


def test_any_other_refusal_is_passed_on_at_once(deployment: Deployment) -> None:
    deployment.sagemaker.fail_next("CreateTrainingJob", "ValidationException", "Invalid image")
    with pytest.raises(TrainingError, match="Invalid image"):
        deployment.create()
    assert deployment.slept == []


# -- what the name depends on


def name_for(deployment: Deployment, **changes: Any) -> str:
    return str(deployment.create(**changes)["PhysicalResourceId"])


@pytest.mark.parametrize(
    "change",
    [
        {"Image": "another-image"},
        {"InstanceType": "ml.g5.xlarge"},
        {"InstanceCount": "1"},
        {"HyperParameters": {"sagemaker_submit_directory": "s3://assets/def.tar.gz", "epochs": "40"}},
        {"HyperParameters": {"sagemaker_submit_directory": "s3://assets/abc.tar.gz", "epochs": "41"}},
        {"Pretrained": "s3://weights/resnet50.safetensors"},
        {"DataVersion": "2026-11"},
    ],
    ids=["image", "instance type", "instance count", "code", "option", "weights", "data version"],
)
def test_what_changes_the_result_is_a_new_job(deployment: Deployment, change: Json) -> None:
    assert name_for(deployment) != name_for(deployment, **change)


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
def test_what_leaves_the_result_alone_is_the_same_job(deployment: Deployment, change: Json) -> None:
    assert name_for(deployment) == name_for(deployment, **change)


def test_names_fit_sagemakers_limit(deployment: Deployment) -> None:
    assert len(name_for(deployment, NamePrefix="k" * 20)) + len("-99-on-trn1n-32xlarge") <= 63


# -- which photos are meant


def listing(deployment: Deployment) -> str:
    return deployment.jobs._data_digest(Location(bucket=BUCKET, prefix="data/"))


def test_the_listings_digest_as_data_version_names_the_job_that_a_listing_would(deployment: Deployment) -> None:
    assert name_for(deployment) == name_for(deployment, DataVersion=listing(deployment))


def test_photos_that_changed_since_they_were_listed_start_nothing(deployment: Deployment) -> None:
    version = listing(deployment)
    deployment.upload("data/train/pug/late.jpg")
    with pytest.raises(TrainingError, match="changed during the deploy"):
        deployment.create(DataVersion=version)
    assert deployment.sagemaker.created == []


def test_a_data_version_of_the_users_own_is_taken_at_its_word(deployment: Deployment) -> None:
    before = name_for(deployment, DataVersion="spring")
    deployment.upload("data/train/pug/late.jpg")
    assert name_for(deployment, DataVersion="spring") == before


def test_a_rollback_needs_no_photos(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    for key in PHOTOS.values():
        deployment.s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(TrainingError, match="kennel data upload"):
        deployment.begin("Update", ResourceProperties=properties(InstanceCount="1"))
    assert deployment.begin("Update")["PhysicalResourceId"] == old


def test_a_rollback_to_listed_photos_finds_their_job_after_the_photos_changed(deployment: Deployment) -> None:
    version = listing(deployment)
    old = deployment.create(DataVersion=version)["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    deployment.upload("data/train/pug/new.jpg")
    other = properties(DataVersion=listing(deployment))
    new = deployment.begin("Update", ResourceProperties=other)["PhysicalResourceId"]
    deployment.sagemaker.fail(new, "no")
    back = deployment.begin("Update", PhysicalResourceId=new, ResourceProperties=properties(DataVersion=version))
    assert back["PhysicalResourceId"] == old
    assert len(deployment.sagemaker.created) == 2


# -- the wait


def test_a_deploy_waits_while_the_job_runs(deployment: Deployment) -> None:
    event = deployment.create()
    assert deployment.look(event) == {"IsComplete": False}


def test_a_finished_job_hands_over_its_artifact_and_accuracy(deployment: Deployment) -> None:
    event = deployment.create()
    name = event["PhysicalResourceId"]
    deployment.sagemaker.finish(name, **{"test:accuracy": 0.93})
    assert deployment.look(event) == {
        "IsComplete": True,
        "Data": {
            "JobName": name,
            "ModelData": f"s3://{BUCKET}/training/artifacts/{name}/output/model.tar.gz",
            "Report": f"s3://{BUCKET}/training/artifacts/{name}/output/output.tar.gz",
            "TestAccuracy": "0.9300",
            "InstanceType": "ml.g4dn.xlarge",
        },
    }


def test_the_accuracy_is_that_of_what_is_served(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.finish(event["PhysicalResourceId"], **{"test:accuracy": 0.93, "test:served_accuracy": 0.925})
    assert deployment.look(event)["Data"]["TestAccuracy"] == "0.9250"


def test_a_finished_job_without_the_metric_still_answers(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.finish(event["PhysicalResourceId"])
    assert deployment.look(event)["Data"]["TestAccuracy"] == "not measured"


def test_a_failed_job_ends_the_deploy_with_its_reason_and_its_log(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.fail(event["PhysicalResourceId"], "CUDA out of memory on algo-2")
    with pytest.raises(TrainingError) as failure:
        deployment.look(event)
    assert "CUDA out of memory on algo-2" in str(failure.value)
    assert f"TrainingJobs$3FlogStreamNameFilter$3D{event['PhysicalResourceId']}" in str(failure.value)


def test_a_job_stopped_by_hand_ends_the_deploy(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.stop_training_job(TrainingJobName=event["PhysicalResourceId"])
    assert deployment.look(event) == {"IsComplete": False}
    deployment.sagemaker.settle()
    with pytest.raises(TrainingError, match="is Stopped"):
        deployment.look(event)


def test_a_job_that_reached_its_time_limit_says_which_setting(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.expire(event["PhysicalResourceId"])
    with pytest.raises(TrainingError, match=r"training\.max_runtime_min"):
        deployment.look(event)


NO_CAPACITY = "CapacityError: Unable to provision requested ML compute capacity. Please retry."


@pytest.mark.parametrize(("minutes", "limit_s"), [(0, 2700), (20, 25 * 60), (34, 11 * 60)])
def test_a_job_on_another_type_gets_no_more_time_than_its_deploy_will_wait(
    deployment: Deployment, minutes: int, limit_s: int
) -> None:
    deadline = {"DeployWaitSeconds": "3300", "StartupSeconds": "600"}
    event = deployment.create(FallbackInstanceTypes="ml.g5.xlarge", **deadline)
    deployment.sagemaker.time += timedelta(minutes=minutes)
    deployment.sagemaker.fail(event["PhysicalResourceId"], NO_CAPACITY)
    assert deployment.look(event) == {"IsComplete": False}
    second = deployment.sagemaker.created[-1]
    assert second["ResourceConfig"]["InstanceType"] == "ml.g5.xlarge"
    assert second["StoppingCondition"] == {"MaxRuntimeInSeconds": limit_s}


def test_a_type_that_could_not_end_in_time_is_left_to_the_next_deploy(deployment: Deployment) -> None:
    deadline = {"DeployWaitSeconds": "3300", "StartupSeconds": "600"}
    event = deployment.create(FallbackInstanceTypes="ml.g5.xlarge", **deadline)
    deployment.sagemaker.time += timedelta(minutes=36)
    deployment.sagemaker.fail(event["PhysicalResourceId"], NO_CAPACITY)
    with pytest.raises(TrainingError, match="after 36 minutes, and a deploy waits 55: too few are left for"):
        deployment.look(event)
    assert deployment.sagemaker.running == []
    deployment.create(FallbackInstanceTypes="ml.g5.xlarge", **deadline)
    assert deployment.sagemaker.created[-1]["ResourceConfig"]["InstanceType"] == "ml.g5.xlarge"


def test_a_job_that_was_deleted_meanwhile_ends_the_deploy(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.jobs.clear()
    with pytest.raises(TrainingError, match="no longer exists"):
        deployment.look(event)


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 400), ("InternalFailure", 500), ("ServiceUnavailable", 503)]
)
def test_one_look_that_fails_does_not_end_the_deploy(deployment: Deployment, code: str, status: int) -> None:
    event = deployment.create()
    deployment.sagemaker.fail_next("DescribeTrainingJob", code, "try again", status)
    assert deployment.look(event) == {"IsComplete": False}


def test_a_look_that_is_forbidden_does(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.fail_next("DescribeTrainingJob", "AccessDeniedException", "not yours", 403)
    with pytest.raises(Exception, match="not yours"):
        deployment.look(event)


# -- update


def test_an_update_of_the_options_is_a_new_job_and_the_old_one_is_deleted_after(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    options = {"epochs": "41", "sagemaker_submit_directory": "s3://assets/abc.tar.gz"}
    event = deployment.begin("Update", ResourceProperties=properties(HyperParameters=options))
    assert event["PhysicalResourceId"] != old
    assert deployment.sagemaker.running == [event["PhysicalResourceId"]]
    cleanup = deployment.begin("Delete", PhysicalResourceId=old)
    assert deployment.look(cleanup) == {"IsComplete": True}
    assert deployment.sagemaker.running == [event["PhysicalResourceId"]]


def test_an_update_that_changes_no_result_keeps_the_job(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    event = deployment.begin("Update", ResourceProperties=properties(MaxRuntimeSeconds="60"))
    assert event["PhysicalResourceId"] == old
    assert deployment.look(event)["IsComplete"]


def test_a_rollback_returns_to_the_old_artifact_and_stops_the_new_job(deployment: Deployment) -> None:
    old = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(old)
    new = deployment.begin("Update", ResourceProperties=properties(InstanceCount="1"))["PhysicalResourceId"]
    back = deployment.begin("Update", PhysicalResourceId=new)
    assert back["PhysicalResourceId"] == old
    assert deployment.look(back)["IsComplete"]
    gone = deployment.begin("Delete", PhysicalResourceId=new)
    assert deployment.look(gone) == {"IsComplete": False}
    deployment.sagemaker.settle()
    assert deployment.look(gone) == {"IsComplete": True}
    assert deployment.sagemaker.running == []
    assert len(deployment.sagemaker.created) == 2


# -- delete


def test_a_delete_stops_a_running_job_and_waits_until_nothing_is_billed(deployment: Deployment) -> None:
    deployment.create()
    event = deployment.begin("Delete")
    assert deployment.look(event) == {"IsComplete": False}
    deployment.sagemaker.settle()
    assert deployment.look(event) == {"IsComplete": True}
    assert deployment.sagemaker.running == []


def test_a_delete_leaves_a_finished_job_and_its_artifact(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.finish(name)
    assert deployment.look(deployment.begin("Delete")) == {"IsComplete": True}
    key = f"training/artifacts/{name}/output/model.tar.gz"
    assert deployment.s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == 5


def test_a_delete_of_a_job_that_ends_that_very_moment_succeeds(deployment: Deployment) -> None:
    name = deployment.create()["PhysicalResourceId"]
    deployment.sagemaker.fail_next("StopTrainingJob", "ValidationException", "the job is Completed")
    assert deployment.look(deployment.begin("Delete")) == {"IsComplete": False}
    deployment.sagemaker.finish(name)
    assert deployment.look(deployment.begin("Delete")) == {"IsComplete": True}


def test_a_delete_under_an_id_that_cloudformation_invented_finds_the_running_job(deployment: Deployment) -> None:
    deployment.create()
    event = deployment.begin("Delete", PhysicalResourceId=INVENTED_ID)
    assert event["PhysicalResourceId"] == INVENTED_ID
    assert deployment.look(event) == {"IsComplete": False}
    deployment.sagemaker.settle()
    assert deployment.look(event) == {"IsComplete": True}
    assert deployment.sagemaker.running == []


@pytest.mark.parametrize("why", ["no job was started", "the photos are gone", "the bucket is gone"])
def test_a_delete_of_what_never_was_succeeds(deployment: Deployment, why: str) -> None:
    if why == "the photos are gone":
        for key in PHOTOS.values():
            deployment.s3.delete_object(Bucket=BUCKET, Key=key)
    if why == "the bucket is gone":
        deployment.lose_bucket()
    event = deployment.begin("Delete", PhysicalResourceId=INVENTED_ID)
    assert deployment.look(event) == {"IsComplete": True}
