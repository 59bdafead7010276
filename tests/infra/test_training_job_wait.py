"""The wait for a training job: what polling returns while the job runs and when it has ended."""

from datetime import timedelta

import pytest

from stacks.training.handler.aws_errors import TrainingError
from tests.infra.deployment import Deployment
from tests.infra.events import BUCKET


def test_a_deploy_waits_while_the_job_runs(deployment: Deployment) -> None:
    event = deployment.create()
    assert deployment.poll(event) == {"IsComplete": False}


def test_a_finished_job_returns_its_artifact_and_accuracy(deployment: Deployment) -> None:
    event = deployment.create()
    name = event["PhysicalResourceId"]
    deployment.sagemaker.finish(name, **{"test:accuracy": 0.93})
    assert deployment.poll(event) == {
        "IsComplete": True,
        "Data": {
            "JobName": name,
            "ModelData": f"s3://{BUCKET}/training/artifacts/{name}/output/model.tar.gz",
            "Report": f"s3://{BUCKET}/training/artifacts/{name}/output/output.tar.gz",
            "TestAccuracy": "0.9300",
            "InstanceType": "ml.g4dn.xlarge",
        },
    }


def test_the_accuracy_is_that_of_the_served_model(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.finish(event["PhysicalResourceId"], **{"test:accuracy": 0.93, "test:served_accuracy": 0.925})
    assert deployment.poll(event)["Data"]["TestAccuracy"] == "0.9250"


def test_a_finished_job_without_the_metric_is_a_success(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.finish(event["PhysicalResourceId"])
    assert deployment.poll(event)["Data"]["TestAccuracy"] == "not measured"


def test_a_failed_job_fails_the_deploy_with_its_reason_and_log_link(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.fail(event["PhysicalResourceId"], "CUDA out of memory on algo-2")
    with pytest.raises(TrainingError) as failure:
        deployment.poll(event)
    assert "CUDA out of memory on algo-2" in str(failure.value)
    assert f"TrainingJobs$3FlogStreamNameFilter$3D{event['PhysicalResourceId']}" in str(failure.value)


def test_a_job_that_was_stopped_manually_fails_the_deploy(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.stop_training_job(TrainingJobName=event["PhysicalResourceId"])
    assert deployment.poll(event) == {"IsComplete": False}
    deployment.sagemaker.settle()
    with pytest.raises(TrainingError, match="is Stopped"):
        deployment.poll(event)


def test_the_error_for_the_time_limit_names_the_setting(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.expire(event["PhysicalResourceId"])
    with pytest.raises(TrainingError, match=r"training\.max_runtime_min"):
        deployment.poll(event)


NO_CAPACITY = "CapacityError: Unable to provision requested ML compute capacity. Please retry."


@pytest.mark.parametrize(("minutes", "limit_s"), [(0, 2700), (20, 25 * 60), (34, 11 * 60)])
def test_a_fallback_jobs_time_limit_ends_within_the_deploys(deployment: Deployment, minutes: int, limit_s: int) -> None:
    deadline = {"DeployWaitSeconds": "3300", "StartupSeconds": "600"}
    event = deployment.create(FallbackInstanceTypes="ml.g5.xlarge", **deadline)
    deployment.sagemaker.time += timedelta(minutes=minutes)
    deployment.sagemaker.fail(event["PhysicalResourceId"], NO_CAPACITY)
    assert deployment.poll(event) == {"IsComplete": False}
    second = deployment.sagemaker.created[-1]
    assert second["ResourceConfig"]["InstanceType"] == "ml.g5.xlarge"
    assert second["StoppingCondition"] == {"MaxRuntimeInSeconds": limit_s}


def test_without_enough_time_left_the_fallback_starts_in_the_next_deploy(deployment: Deployment) -> None:
    deadline = {"DeployWaitSeconds": "3300", "StartupSeconds": "600"}
    event = deployment.create(FallbackInstanceTypes="ml.g5.xlarge", **deadline)
    deployment.sagemaker.time += timedelta(minutes=36)
    deployment.sagemaker.fail(event["PhysicalResourceId"], NO_CAPACITY)
    with pytest.raises(
        TrainingError, match="after 36 minutes; the deploy may wait 55 minutes in total, so there is no time left"
    ):
        deployment.poll(event)
    assert deployment.sagemaker.running == []
    deployment.create(FallbackInstanceTypes="ml.g5.xlarge", **deadline)
    assert deployment.sagemaker.created[-1]["ResourceConfig"]["InstanceType"] == "ml.g5.xlarge"


def test_a_job_that_was_deleted_fails_the_deploy(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.jobs.clear()
    with pytest.raises(TrainingError, match="no longer exists"):
        deployment.poll(event)


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 400), ("InternalFailure", 500), ("ServiceUnavailable", 503)]
)
def test_a_transient_error_while_polling_does_not_fail_the_deploy(
    deployment: Deployment, code: str, status: int
) -> None:
    event = deployment.create()
    deployment.sagemaker.fail_next("DescribeTrainingJob", code, "try again", status)
    assert deployment.poll(event) == {"IsComplete": False}


def test_a_missing_right_while_polling_fails_the_deploy(deployment: Deployment) -> None:
    event = deployment.create()
    deployment.sagemaker.fail_next("DescribeTrainingJob", "AccessDeniedException", "not yours", 403)
    with pytest.raises(Exception, match="not yours"):
        deployment.poll(event)
