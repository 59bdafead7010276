"""Life-cycle scenarios of the training job: each stack operation, with each end of the job and each fault.

A scenario runs the handler through the provider framework's protocol (`fake_cloudformation.py`), with rollback and
clean-up, on moto's S3 and a fake SageMaker. After each one, no job runs that the stack does not know of; after the
deletion of the stack, no job runs at all.
"""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import boto3
import pytest
from moto import mock_aws

from stacks.training.handler.aws_errors import NOT_YET_PROPAGATED
from stacks.training.handler.jobs import Jobs
from stacks.training.handler.request import JobRequest
from tests.infra.events import BUCKET, INVENTED_ID, PHOTOS, properties
from tests.infra.fake_cloudformation import CREATE_FAILED, CloudFormation, Outcome
from tests.infra.fake_sagemaker import FakeSageMaker

NO_CAPACITY = "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different type."
FALLBACKS = "ml.g5.xlarge,ml.g6.xlarge"

# -- how a job ends


def completes(sagemaker: FakeSageMaker, name: str) -> None:
    sagemaker.finish(name, **{"test:accuracy": 0.93})


def fails(sagemaker: FakeSageMaker, name: str) -> None:
    sagemaker.fail(name, "AlgorithmError: CUDA out of memory on algo-2")


def is_stopped(sagemaker: FakeSageMaker, name: str) -> None:
    sagemaker.stop_training_job(TrainingJobName=name)


def expires(sagemaker: FakeSageMaker, name: str) -> None:
    sagemaker.expire(name)


def vanishes(sagemaker: FakeSageMaker, name: str) -> None:
    del sagemaker.jobs[name]


def runs(sagemaker: FakeSageMaker, name: str) -> None:
    """Does not end before the deploy's time limit."""


ENDS: dict[Callable[[FakeSageMaker, str], None], str] = {
    completes: "",
    fails: "CUDA out of memory on algo-2",
    is_stopped: "is Stopped",
    expires: "training.max_runtime_min",
    vanishes: "no longer exists",
    runs: "Operation timed out",
}
"""Each end of a job, and a part of the deploy's error message; empty for success."""

# -- faults during the operation


def no_fault(_: "Scenario") -> None: ...


def describe_is_throttled(scenario: "Scenario") -> None:
    # on_event relies on boto3's retries, is_complete is called again: the fault is in the second
    scenario.fail_while_waiting("DescribeTrainingJob", "ThrottlingException", "Rate exceeded")


def describe_is_broken(scenario: "Scenario") -> None:
    scenario.fail_while_waiting("DescribeTrainingJob", "InternalFailure", "try again", 500)


def create_is_throttled(scenario: "Scenario") -> None:
    scenario.sagemaker.fail_next("CreateTrainingJob", "ThrottlingException", "Rate exceeded")


def role_has_not_propagated(scenario: "Scenario") -> None:
    for words in NOT_YET_PROPAGATED[:3]:
        scenario.sagemaker.fail_next("CreateTrainingJob", "ValidationException", f"{words}: arn:aws:iam::1:role/job")


def response_is_lost(scenario: "Scenario") -> None:
    scenario.sagemaker.lose_next_response("CreateTrainingJob")


def event_is_delivered_twice(scenario: "Scenario") -> None:
    scenario.cloudformation.deliveries = 2


def first_type_is_out_of_capacity(scenario: "Scenario") -> None:
    scenario.without_capacity = {"ml.g4dn.xlarge"}


def capacity_is_refused_at_once(scenario: "Scenario") -> None:
    scenario.sagemaker.fail_next("CreateTrainingJob", "InsufficientCapacityError", "no ml.g4dn.xlarge")


TRANSIENT_FAULTS = [
    no_fault,
    describe_is_throttled,
    describe_is_broken,
    create_is_throttled,
    role_has_not_propagated,
    response_is_lost,
    event_is_delivered_twice,
    first_type_is_out_of_capacity,
    capacity_is_refused_at_once,
]


def no_type_has_capacity(scenario: "Scenario") -> None:
    scenario.without_capacity = {"ml.g4dn.xlarge", *FALLBACKS.split(",")}


def quota_is_missing(scenario: "Scenario") -> None:
    scenario.sagemaker.fail_next("CreateTrainingJob", "ResourceLimitExceeded", "The account-level service limit is 0")


def quota_of_the_fallback_is_missing(scenario: "Scenario") -> None:
    scenario.sagemaker.fail_next("CreateTrainingJob", "InsufficientCapacityError", "no ml.g4dn.xlarge")
    scenario.sagemaker.fail_next("CreateTrainingJob", "ResourceLimitExceeded", "The account-level service limit is 0")


def role_never_propagates(scenario: "Scenario") -> None:
    for _ in range(20):
        scenario.sagemaker.fail_next("CreateTrainingJob", "ValidationException", "Could not assume role x")


def photos_are_missing(scenario: "Scenario") -> None:
    scenario.s3.delete_object(Bucket=BUCKET, Key=PHOTOS["valid"])


FATAL_FAULTS: dict[Callable[["Scenario"], None], str] = {
    no_type_has_capacity: "no capacity now for 2 x ml.g4dn.xlarge or ml.g5.xlarge or ml.g6.xlarge",
    quota_is_missing: "'ml.g4dn.xlarge for training job usage' must be at least 2",
    quota_of_the_fallback_is_missing: "'ml.g5.xlarge for training job usage' must be at least 2",
    role_never_propagates: "Could not assume role x",
    photos_are_missing: "kennel data upload",
}


def no_ec2() -> NoReturn:
    raise AssertionError("a job in SageMaker's own network needs no EC2")


class Scenario:
    """One stack with a training job, in one account."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.end: Callable[[FakeSageMaker, str], None] = completes
        self.without_capacity: set[str] = set()
        self.faults_while_waiting: list[tuple[str, str, str, int]] = []
        self.sagemaker = FakeSageMaker(s3, on_tick=self._end_of_job)
        jobs = Jobs(
            sagemaker=self.sagemaker,
            s3=s3,
            ec2=no_ec2,
            region="eu-west-1",
            sleep=lambda _: None,
            now=lambda: self.sagemaker.time,
        )
        self.cloudformation = CloudFormation(jobs, self._tick)

    def fail_while_waiting(self, operation: str, code: str, message: str, status: int = 400) -> None:
        self.faults_while_waiting += [(operation, code, message, status)] * 3

    def _tick(self) -> None:
        if self.faults_while_waiting:
            self.sagemaker.fail_next(*self.faults_while_waiting.pop())
        self.sagemaker.tick()

    def _end_of_job(self, sagemaker: FakeSageMaker, name: str) -> None:
        if sagemaker.jobs[name]["ResourceConfig"]["InstanceType"] in self.without_capacity:
            sagemaker.fail(name, NO_CAPACITY)
        else:
            self.end(sagemaker, name)

    def jobs_of_the_stack(self) -> set[str]:
        """The jobs that belong to the physical id in the stack."""
        return {name for name in self.sagemaker.jobs if name.startswith(self.cloudformation.physical_id or "-")}

    def assert_no_orphan(self) -> None:
        assert set(self.sagemaker.running) <= self.jobs_of_the_stack()

    def assert_nothing_is_left(self) -> None:
        self.faults_while_waiting.clear()
        self.sagemaker.faults.clear()
        if self.cloudformation.physical_id:
            assert self.cloudformation.delete().ok
        assert self.sagemaker.running == []


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def scenario(s3: Any) -> Iterator[Scenario]:
    for key in PHOTOS.values():
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"photo")
    scenario = Scenario(s3)
    yield scenario
    scenario.assert_no_orphan()
    scenario.assert_nothing_is_left()


def with_fallbacks(**changes: Any) -> dict[str, Any]:
    return properties(FallbackInstanceTypes=FALLBACKS, **changes)


def request() -> JobRequest:
    return JobRequest.of(with_fallbacks())


def check(outcome: Outcome, message: str) -> None:
    """Asserts success if `message` is empty, and otherwise a failure with this message."""
    assert outcome.ok == (not message), outcome.reason
    assert message in outcome.reason


def names(cases: Any) -> list[str]:
    return [case.__name__ for case in cases]


@pytest.mark.parametrize("fault", TRANSIENT_FAULTS, ids=names(TRANSIENT_FAULTS))
@pytest.mark.parametrize("end", ENDS, ids=names(ENDS))
def test_a_create_ends_as_its_job_does(
    scenario: Scenario, end: Callable[[FakeSageMaker, str], None], fault: Callable[[Scenario], None]
) -> None:
    scenario.end = end
    fault(scenario)
    outcome = scenario.cloudformation.create(with_fallbacks())
    if (end, fault) == (vanishes, first_type_is_out_of_capacity):
        check(outcome, ENDS[runs])  # a deleted job of a fallback type is started again
    else:
        check(outcome, ENDS[end])
    if outcome.ok:
        assert outcome.data["TestAccuracy"] == "0.9300"
        fell_back = fault in (first_type_is_out_of_capacity, capacity_is_refused_at_once)
        assert outcome.data["InstanceType"] == ("ml.g5.xlarge" if fell_back else "ml.g4dn.xlarge")
    else:
        assert scenario.sagemaker.running == []  # the rollback stopped the job


@pytest.mark.parametrize("fault", FATAL_FAULTS, ids=names(FATAL_FAULTS))
def test_a_create_that_cannot_succeed_fails_with_the_remedy(
    scenario: Scenario, fault: Callable[[Scenario], None]
) -> None:
    fault(scenario)
    check(scenario.cloudformation.create(with_fallbacks()), FATAL_FAULTS[fault])
    assert scenario.sagemaker.running == []
    # without the fault the next deploy succeeds
    scenario.sagemaker.faults.clear()
    scenario.without_capacity.clear()
    scenario.s3.put_object(Bucket=BUCKET, Key=PHOTOS["valid"], Body=b"photo")
    assert scenario.cloudformation.create(with_fallbacks()).ok


@pytest.mark.parametrize("fault", TRANSIENT_FAULTS, ids=names(TRANSIENT_FAULTS))
@pytest.mark.parametrize("end", [completes, fails, is_stopped, runs], ids=["completes", "fails", "is_stopped", "runs"])
def test_an_update_replaces_the_job_or_rolls_back_to_the_old_one_without_training_again(
    scenario: Scenario, end: Callable[[FakeSageMaker, str], None], fault: Callable[[Scenario], None]
) -> None:
    old = scenario.cloudformation.create(with_fallbacks())
    started = len(scenario.sagemaker.created)
    scenario.end = end
    fault(scenario)
    outcome = scenario.cloudformation.update(with_fallbacks(InstanceCount="4"))
    check(outcome, ENDS[end])
    assert (scenario.cloudformation.physical_id != old.physical_id) == outcome.ok
    fell_back = fault is first_type_is_out_of_capacity
    assert len(scenario.sagemaker.created) - started == (2 if fell_back else 1)


@pytest.mark.parametrize("fault", FATAL_FAULTS, ids=names(FATAL_FAULTS))
def test_an_update_that_cannot_succeed_leaves_the_stack_unchanged(
    scenario: Scenario, fault: Callable[[Scenario], None]
) -> None:
    before = scenario.cloudformation.create(with_fallbacks()).physical_id
    fault(scenario)
    outcome = scenario.cloudformation.update(with_fallbacks(InstanceCount="4"))
    check(outcome, FATAL_FAULTS[fault].replace("2 x", "4 x").replace("least 2", "least 4"))
    assert scenario.cloudformation.physical_id == before


@pytest.mark.parametrize(
    "change", [{"VolumeGiB": "50"}, {"RoleArn": "other"}, {"MaxWaitSeconds": "2700"}, {"FallbackInstanceTypes": ""}]
)
def test_an_update_that_does_not_change_the_result_trains_nothing(scenario: Scenario, change: dict[str, str]) -> None:
    before = scenario.cloudformation.create(with_fallbacks()).physical_id
    assert scenario.cloudformation.update({**with_fallbacks(), **change}).ok
    assert scenario.cloudformation.physical_id == before
    assert len(scenario.sagemaker.created) == 1


STATES = ["InProgress", "Completed", "Failed", "Stopping", "Stopped", "deleted"]


def stop_is_throttled(scenario: Scenario) -> None:
    scenario.sagemaker.fail_next("StopTrainingJob", "ThrottlingException", "Rate exceeded")


def job_ends_before_the_stop(scenario: Scenario) -> None:
    scenario.sagemaker.fail_next("StopTrainingJob", "ValidationException", "the job is Completed")


def describe_is_throttled_once(scenario: Scenario) -> None:
    scenario.sagemaker.fail_next("DescribeTrainingJob", "ThrottlingException", "Rate exceeded")


def photos_are_deleted(scenario: Scenario) -> None:
    for key in PHOTOS.values():
        scenario.s3.delete_object(Bucket=BUCKET, Key=key)


DELETE_FAULTS = [
    no_fault,
    stop_is_throttled,
    job_ends_before_the_stop,
    describe_is_throttled_once,
    photos_are_deleted,
    event_is_delivered_twice,
]


@pytest.mark.parametrize("fault", DELETE_FAULTS, ids=names(DELETE_FAULTS))
@pytest.mark.parametrize("state", STATES)
def test_after_a_delete_no_job_runs(scenario: Scenario, state: str, fault: Callable[[Scenario], None]) -> None:
    scenario.end = runs
    scenario.cloudformation.properties = with_fallbacks()
    scenario.cloudformation.physical_id = job = scenario.cloudformation.jobs.start(request())
    if state == "Completed":
        scenario.sagemaker.finish(job)
    elif state == "Failed":
        scenario.sagemaker.fail(job, "no")
    elif state == "deleted":
        del scenario.sagemaker.jobs[job]
    elif state != "InProgress":
        scenario.sagemaker.stop_training_job(TrainingJobName=job)
        if state == "Stopped":
            scenario.sagemaker.settle()
    fault(scenario)
    assert scenario.cloudformation.delete().ok
    assert scenario.sagemaker.running == []


@pytest.mark.parametrize("state", [*STATES, "never started", "on a fallback"])
def test_a_delete_under_an_invented_id_finds_the_running_job(scenario: Scenario, state: str) -> None:
    scenario.end = runs
    scenario.cloudformation.properties = with_fallbacks()
    if state != "never started":
        if state == "on a fallback":
            capacity_is_refused_at_once(scenario)
        job = scenario.cloudformation.jobs.start(request())
        if state == "Completed":
            scenario.sagemaker.finish(job)
        elif state == "Failed":
            scenario.sagemaker.fail(job, "no")
        elif state == "deleted":
            del scenario.sagemaker.jobs[job]
        elif state in ("Stopping", "Stopped"):
            scenario.sagemaker.stop_training_job(TrainingJobName=job)
    assert scenario.cloudformation.delete(INVENTED_ID).ok
    assert scenario.sagemaker.running == []


def test_the_framework_itself_answers_the_delete_after_a_failed_create(scenario: Scenario) -> None:
    quota_is_missing(scenario)
    scenario.cloudformation.create(with_fallbacks())
    assert scenario.cloudformation.delete(CREATE_FAILED).ok


def test_a_fallback_job_that_an_abandoned_deploy_starts_during_the_delete_is_stopped(scenario: Scenario) -> None:
    """CloudFormation deletes under an invented id while the first deploy's state machine still polls."""
    scenario.end = runs
    scenario.cloudformation.properties = with_fallbacks()
    jobs = scenario.cloudformation.jobs
    first = jobs.start(request())
    scenario.sagemaker.fail(first, NO_CAPACITY)
    to_stop = jobs.jobs_to_stop(request(), INVENTED_ID)
    assert not jobs.all_stopped(to_stop)  # a deploy may still start a fallback
    assert jobs.result(request(), first) is None  # and here one does
    assert scenario.sagemaker.running == [f"{first}-on-g5-xlarge"]
    assert not jobs.all_stopped(to_stop)
    scenario.sagemaker.settle()
    assert jobs.all_stopped(to_stop)


def test_a_job_that_failed_without_capacity_does_not_block_a_delete(scenario: Scenario) -> None:
    scenario.cloudformation.properties = with_fallbacks()
    scenario.cloudformation.physical_id = scenario.cloudformation.jobs.start(request())
    scenario.sagemaker.fail(scenario.cloudformation.physical_id, NO_CAPACITY)
    assert scenario.cloudformation.delete().ok


def test_each_instance_type_is_tried_once_and_in_order(scenario: Scenario) -> None:
    no_type_has_capacity(scenario)
    scenario.cloudformation.create(with_fallbacks())
    assert [request["ResourceConfig"]["InstanceType"] for request in scenario.sagemaker.created] == [
        "ml.g4dn.xlarge",
        *FALLBACKS.split(","),
    ]


def test_the_result_of_a_fallback_job_is_reused(scenario: Scenario) -> None:
    first_type_is_out_of_capacity(scenario)
    first = scenario.cloudformation.create(with_fallbacks())
    scenario.without_capacity.clear()
    scenario.cloudformation.physical_id = ""
    again = scenario.cloudformation.create(with_fallbacks())
    assert again.data == first.data
    assert len(scenario.sagemaker.created) == 2


def test_spot_training_has_a_wait_limit_and_a_checkpoint_path(scenario: Scenario) -> None:
    assert scenario.cloudformation.create(properties(MaxWaitSeconds="2700")).ok
    (created,) = scenario.sagemaker.created
    assert created["EnableManagedSpotTraining"] is True
    assert created["StoppingCondition"] == {"MaxRuntimeInSeconds": 2700, "MaxWaitTimeInSeconds": 2700}
    assert created["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"


def test_the_error_for_missing_spot_capacity_names_the_setting(scenario: Scenario) -> None:
    def starves(sagemaker: FakeSageMaker, name: str) -> None:
        sagemaker.jobs[name].update(TrainingJobStatus="Stopped", SecondaryStatus="MaxWaitTimeExceeded")

    scenario.end = starves
    check(scenario.cloudformation.create(properties(MaxWaitSeconds="2700")), "training.spot_max_wait_min")


def test_spot_training_has_a_quota_of_its_own(scenario: Scenario) -> None:
    quota_is_missing(scenario)
    check(
        scenario.cloudformation.create(properties(MaxWaitSeconds="2700")),
        "'ml.g4dn.xlarge for spot training job usage' must be at least 2",
    )
