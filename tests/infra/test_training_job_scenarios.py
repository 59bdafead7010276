"""The training job's life, played from CloudFormation's side: operation x end of the job x fault, 0 orphans in each.

Each play goes through the Provider framework's protocol (`fake_cloudformation.py`), rollback and clean-up included, on
moto's S3 and a SageMaker that is a state machine. After each, no job runs that the stack does not know; after the
stack is deleted, none runs at all.
"""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from stacks.training.handler.jobs import Jobs
from stacks.training.handler.refusals import NOT_YET_PROPAGATED
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
    """For ever, as far as the deploy is concerned."""


ENDS: dict[Callable[[FakeSageMaker, str], None], str] = {
    completes: "",
    fails: "CUDA out of memory on algo-2",
    is_stopped: "is Stopped",
    expires: "training.max_runtime_min",
    vanishes: "is gone",
    runs: "Operation timed out",
}
"""Each end of a job, and what a deploy then says."""

# -- what goes wrong on the way


def nothing(_: "Play") -> None: ...


def describe_is_throttled(play: "Play") -> None:
    # once answered by on_event, which has boto3's own retries; then in the wait, which has ours
    play.during_the_wait("DescribeTrainingJob", "ThrottlingException", "Rate exceeded")


def describe_is_broken(play: "Play") -> None:
    play.during_the_wait("DescribeTrainingJob", "InternalFailure", "try again", 500)


def create_is_throttled(play: "Play") -> None:
    play.sagemaker.fail_next("CreateTrainingJob", "ThrottlingException", "Rate exceeded")


def role_is_new(play: "Play") -> None:
    for words in NOT_YET_PROPAGATED[:3]:
        play.sagemaker.fail_next("CreateTrainingJob", "ValidationException", f"{words}: arn:aws:iam::1:role/job")


def answer_is_lost(play: "Play") -> None:
    play.sagemaker.lose_next_answer("CreateTrainingJob")


def event_comes_twice(play: "Play") -> None:
    play.cloudformation.deliveries = 2


def first_type_is_out_of_capacity(play: "Play") -> None:
    play.without_capacity = {"ml.g4dn.xlarge"}


def capacity_is_refused_at_once(play: "Play") -> None:
    play.sagemaker.fail_next("CreateTrainingJob", "InsufficientCapacityError", "no ml.g4dn.xlarge")


SURVIVABLE = [
    nothing,
    describe_is_throttled,
    describe_is_broken,
    create_is_throttled,
    role_is_new,
    answer_is_lost,
    event_comes_twice,
    first_type_is_out_of_capacity,
    capacity_is_refused_at_once,
]


def no_type_has_capacity(play: "Play") -> None:
    play.without_capacity = {"ml.g4dn.xlarge", *FALLBACKS.split(",")}


def quota_is_missing(play: "Play") -> None:
    play.sagemaker.fail_next("CreateTrainingJob", "ResourceLimitExceeded", "The account-level service limit is 0")


def quota_of_the_fallback_is_missing(play: "Play") -> None:
    play.sagemaker.fail_next("CreateTrainingJob", "InsufficientCapacityError", "no ml.g4dn.xlarge")
    play.sagemaker.fail_next("CreateTrainingJob", "ResourceLimitExceeded", "The account-level service limit is 0")


def role_is_never_known(play: "Play") -> None:
    for _ in range(20):
        play.sagemaker.fail_next("CreateTrainingJob", "ValidationException", "Could not assume role x")


def photos_are_missing(play: "Play") -> None:
    play.s3.delete_object(Bucket=BUCKET, Key=PHOTOS["valid"])


FATAL: dict[Callable[["Play"], None], str] = {
    no_type_has_capacity: "no capacity for 2 x ml.g4dn.xlarge nor ml.g5.xlarge nor ml.g6.xlarge",
    quota_is_missing: "'ml.g4dn.xlarge for training job usage' must be 2 or more",
    quota_of_the_fallback_is_missing: "'ml.g5.xlarge for training job usage' must be 2 or more",
    role_is_never_known: "Could not assume role x",
    photos_are_missing: "kennel data upload",
}


class Play:
    """One stack on one account."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.end: Callable[[FakeSageMaker, str], None] = completes
        self.without_capacity: set[str] = set()
        self.waiting: list[tuple[str, str, str, int]] = []
        self.sagemaker = FakeSageMaker(s3, fate=self._fate)
        jobs = Jobs(
            sagemaker=self.sagemaker,
            s3=s3,
            region="eu-west-1",
            sleep=lambda _: None,
            now=lambda: self.sagemaker.time,
        )
        self.cloudformation = CloudFormation(jobs, self._tick)

    def during_the_wait(self, operation: str, code: str, message: str, status: int = 400) -> None:
        self.waiting += [(operation, code, message, status)] * 3

    def _tick(self) -> None:
        if self.waiting:
            self.sagemaker.fail_next(*self.waiting.pop())
        self.sagemaker.tick()

    def _fate(self, sagemaker: FakeSageMaker, name: str) -> None:
        if sagemaker.jobs[name]["ResourceConfig"]["InstanceType"] in self.without_capacity:
            sagemaker.fail(name, NO_CAPACITY)
        else:
            self.end(sagemaker, name)

    def known(self) -> set[str]:
        """The jobs that belong to the id in the stack."""
        return {name for name in self.sagemaker.jobs if name.startswith(self.cloudformation.physical_id or "-")}

    def assert_no_orphan(self) -> None:
        assert set(self.sagemaker.running) <= self.known()

    def assert_nothing_is_left(self) -> None:
        self.waiting.clear()
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
def play(s3: Any) -> Iterator[Play]:
    for key in PHOTOS.values():
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"photo")
    play = Play(s3)
    yield play
    play.assert_no_orphan()
    play.assert_nothing_is_left()


def with_fallbacks(**changes: Any) -> dict[str, Any]:
    return properties(FallbackInstanceTypes=FALLBACKS, **changes)


def request() -> JobRequest:
    return JobRequest.of(with_fallbacks())


def check(outcome: Outcome, words: str) -> None:
    """It went well where nothing is expected to be said, or said these words."""
    assert outcome.ok == (not words), outcome.reason
    assert words in outcome.reason


def names(cases: Any) -> list[str]:
    return [case.__name__ for case in cases]


@pytest.mark.parametrize("fault", SURVIVABLE, ids=names(SURVIVABLE))
@pytest.mark.parametrize("end", ENDS, ids=names(ENDS))
def test_a_create_ends_as_its_job_does(
    play: Play, end: Callable[[FakeSageMaker, str], None], fault: Callable[[Play], None]
) -> None:
    play.end = end
    fault(play)
    outcome = play.cloudformation.create(with_fallbacks())
    if (end, fault) == (vanishes, first_type_is_out_of_capacity):
        check(outcome, ENDS[runs])  # a fallback that somebody deletes is started again
    else:
        check(outcome, ENDS[end])
    if outcome.ok:
        assert outcome.data["TestAccuracy"] == "0.9300"
        fell_back = fault in (first_type_is_out_of_capacity, capacity_is_refused_at_once)
        assert outcome.data["InstanceType"] == ("ml.g5.xlarge" if fell_back else "ml.g4dn.xlarge")
    else:
        assert play.sagemaker.running == []  # the rollback has stopped what ran


@pytest.mark.parametrize("fault", FATAL, ids=names(FATAL))
def test_a_create_that_cannot_be_fails_with_the_way_out(play: Play, fault: Callable[[Play], None]) -> None:
    fault(play)
    check(play.cloudformation.create(with_fallbacks()), FATAL[fault])
    assert play.sagemaker.running == []
    # and when the cause is gone, the next deploy goes through
    play.sagemaker.faults.clear()
    play.without_capacity.clear()
    play.s3.put_object(Bucket=BUCKET, Key=PHOTOS["valid"], Body=b"photo")
    assert play.cloudformation.create(with_fallbacks()).ok


@pytest.mark.parametrize("fault", SURVIVABLE, ids=names(SURVIVABLE))
@pytest.mark.parametrize("end", [completes, fails, is_stopped, runs], ids=["completes", "fails", "is_stopped", "runs"])
def test_an_update_of_the_recipe_replaces_the_job_or_returns_to_the_old_one_without_paying_again(
    play: Play, end: Callable[[FakeSageMaker, str], None], fault: Callable[[Play], None]
) -> None:
    old = play.cloudformation.create(with_fallbacks())
    started = len(play.sagemaker.created)
    play.end = end
    fault(play)
    outcome = play.cloudformation.update(with_fallbacks(InstanceCount="4"))
    check(outcome, ENDS[end])
    assert (play.cloudformation.physical_id != old.physical_id) == outcome.ok
    fell_back = fault is first_type_is_out_of_capacity
    assert len(play.sagemaker.created) - started == (2 if fell_back else 1)


@pytest.mark.parametrize("fault", FATAL, ids=names(FATAL))
def test_an_update_that_cannot_be_leaves_the_stack_as_it_was(play: Play, fault: Callable[[Play], None]) -> None:
    before = play.cloudformation.create(with_fallbacks()).physical_id
    fault(play)
    outcome = play.cloudformation.update(with_fallbacks(InstanceCount="4"))
    check(outcome, FATAL[fault].replace("2 x", "4 x").replace("be 2", "be 4"))
    assert play.cloudformation.physical_id == before


@pytest.mark.parametrize(
    "change", [{"VolumeGiB": "50"}, {"RoleArn": "other"}, {"MaxWaitSeconds": "2700"}, {"FallbackInstanceTypes": ""}]
)
def test_an_update_that_changes_no_result_trains_nothing(play: Play, change: dict[str, str]) -> None:
    before = play.cloudformation.create(with_fallbacks()).physical_id
    assert play.cloudformation.update({**with_fallbacks(), **change}).ok
    assert play.cloudformation.physical_id == before
    assert len(play.sagemaker.created) == 1


STATES = ["InProgress", "Completed", "Failed", "Stopping", "Stopped", "gone"]


def slow_to_stop(play: Play) -> None:
    play.sagemaker.fail_next("StopTrainingJob", "ThrottlingException", "Rate exceeded")


def ends_that_moment(play: Play) -> None:
    play.sagemaker.fail_next("StopTrainingJob", "ValidationException", "the job is Completed")


def look_is_throttled(play: Play) -> None:
    play.sagemaker.fail_next("DescribeTrainingJob", "ThrottlingException", "Rate exceeded")


def photos_are_gone(play: Play) -> None:
    for key in PHOTOS.values():
        play.s3.delete_object(Bucket=BUCKET, Key=key)


DELETE_FAULTS = [nothing, slow_to_stop, ends_that_moment, look_is_throttled, photos_are_gone, event_comes_twice]


@pytest.mark.parametrize("fault", DELETE_FAULTS, ids=names(DELETE_FAULTS))
@pytest.mark.parametrize("state", STATES)
def test_a_delete_ends_with_nothing_running(play: Play, state: str, fault: Callable[[Play], None]) -> None:
    play.end = runs
    play.cloudformation.properties = with_fallbacks()
    play.cloudformation.physical_id = job = play.cloudformation.jobs.start(request())
    if state == "Completed":
        play.sagemaker.finish(job)
    elif state == "Failed":
        play.sagemaker.fail(job, "no")
    elif state == "gone":
        del play.sagemaker.jobs[job]
    elif state != "InProgress":
        play.sagemaker.stop_training_job(TrainingJobName=job)
        if state == "Stopped":
            play.sagemaker.settle()
    fault(play)
    assert play.cloudformation.delete().ok
    assert play.sagemaker.running == []


@pytest.mark.parametrize("state", [*STATES, "never was", "on a fallback"])
def test_a_delete_under_an_invented_id_finds_what_runs(play: Play, state: str) -> None:
    play.end = runs
    play.cloudformation.properties = with_fallbacks()
    if state != "never was":
        if state == "on a fallback":
            capacity_is_refused_at_once(play)
        job = play.cloudformation.jobs.start(request())
        if state == "Completed":
            play.sagemaker.finish(job)
        elif state == "Failed":
            play.sagemaker.fail(job, "no")
        elif state == "gone":
            del play.sagemaker.jobs[job]
        elif state in ("Stopping", "Stopped"):
            play.sagemaker.stop_training_job(TrainingJobName=job)
    assert play.cloudformation.delete(INVENTED_ID).ok
    assert play.sagemaker.running == []


def test_a_delete_of_what_the_framework_never_named_is_the_frameworks_own(play: Play) -> None:
    quota_is_missing(play)
    play.cloudformation.create(with_fallbacks())
    assert play.cloudformation.delete(CREATE_FAILED).ok


def test_a_fallback_that_a_forgotten_deploy_starts_during_the_delete_is_stopped(play: Play) -> None:
    """CloudFormation deletes under an invented id while the first deploy's waiter still looks every 30 seconds."""
    play.end = runs
    play.cloudformation.properties = with_fallbacks()
    jobs = play.cloudformation.jobs
    first = jobs.start(request())
    play.sagemaker.fail(first, NO_CAPACITY)
    doomed = jobs.doomed(request(), INVENTED_ID)
    assert not jobs.ended(doomed)  # somebody may go on with it
    assert jobs.result(request(), first) is None  # and somebody does
    assert play.sagemaker.running == [f"{first}-on-g5-xlarge"]
    assert not jobs.ended(doomed)
    play.sagemaker.settle()
    assert jobs.ended(doomed)


def test_a_try_without_capacity_that_nobody_goes_on_with_does_not_hold_a_delete_for_ever(play: Play) -> None:
    play.cloudformation.properties = with_fallbacks()
    play.cloudformation.physical_id = play.cloudformation.jobs.start(request())
    play.sagemaker.fail(play.cloudformation.physical_id, NO_CAPACITY)
    assert play.cloudformation.delete().ok


def test_each_type_is_tried_once_and_in_order(play: Play) -> None:
    no_type_has_capacity(play)
    play.cloudformation.create(with_fallbacks())
    assert [request["ResourceConfig"]["InstanceType"] for request in play.sagemaker.created] == [
        "ml.g4dn.xlarge",
        *FALLBACKS.split(","),
    ]


def test_a_result_of_a_fallback_is_found_again_and_not_paid_twice(play: Play) -> None:
    first_type_is_out_of_capacity(play)
    first = play.cloudformation.create(with_fallbacks())
    play.without_capacity.clear()
    play.cloudformation.physical_id = ""
    again = play.cloudformation.create(with_fallbacks())
    assert again.data == first.data
    assert len(play.sagemaker.created) == 2


def test_spot_training_waits_within_its_limit_and_goes_on_from_checkpoints(play: Play) -> None:
    assert play.cloudformation.create(properties(MaxWaitSeconds="2700")).ok
    (created,) = play.sagemaker.created
    assert created["EnableManagedSpotTraining"] is True
    assert created["StoppingCondition"] == {"MaxRuntimeInSeconds": 2700, "MaxWaitTimeInSeconds": 2700}
    assert created["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"


def test_spot_instances_that_never_come_are_named_with_the_setting(play: Play) -> None:
    def starves(sagemaker: FakeSageMaker, name: str) -> None:
        sagemaker.jobs[name].update(TrainingJobStatus="Stopped", SecondaryStatus="MaxWaitTimeExceeded")

    play.end = starves
    check(play.cloudformation.create(properties(MaxWaitSeconds="2700")), "training.spot_max_wait_min")


def test_the_quota_of_spot_training_is_another_one(play: Play) -> None:
    quota_is_missing(play)
    check(
        play.cloudformation.create(properties(MaxWaitSeconds="2700")),
        "'ml.g4dn.xlarge for spot training job usage' must be 2 or more",
    )
