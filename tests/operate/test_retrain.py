"""`kennel retrain`: the request of the deployed stack, its changes, the plan, the price, and what stops it."""

import hashlib
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EndpointConnectionError, TokenRetrievalError

import environments
from contract.photos import PhotoFile, digest
from ops.commands.retrain import _trained
from ops.operate.account import Account as OperatedAccount
from ops.operate.account import AccountError
from ops.operate.deployed import Deployed
from ops.retrain import sdk
from ops.retrain.changes import Changes
from ops.retrain.deployed_request import deployed_request
from ops.retrain.errors import RetrainError
from ops.retrain.price import in_words, price
from ops.retrain.sdk import TrainerClient
from ops.retrain.trainings import Plan, Trainings
from stacks.settings import SettingsError
from stacks.training.handler.aws_errors import TrainingError
from stacks.training.handler.jobs import Jobs
from stacks.training.handler.request import JobRequest, Location
from tests.infra.events import properties
from tests.operate.deployment import GOLDEN, REGION, TRAINING_LOG, Deployment, flat, kennel
from tests.preflight.account import ACCOUNT, Account, denied

BUCKET, ROLE = "kennel-storage-bucket-1", "kennel-training-JobRole014917C6-1"
OUTPUT = "PublishOutputRefBucket83908E770FF9A107"
PHOTOS = {f"data/{split}/pug/{split}.jpg": split.encode() for split in ("train", "valid", "test")}


def request_of(account: Account) -> JobRequest:
    """The request that is deployed."""
    _ = account
    operated = OperatedAccount.of("development")
    return deployed_request(operated, Deployed.of(operated))


def make_stack(deployment: Deployment, kind: str, **outputs: str) -> None:
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": f"/{kind}", "Type": "String", "Value": kind}}
    template = {
        "Resources": {"Name": parameter},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    cloudformation = deployment.client("cloudformation")
    cloudformation.delete_stack(StackName=f"kennel-{kind}")
    cloudformation.create_stack(StackName=f"kennel-{kind}", TemplateBody=json.dumps(template))


@pytest.fixture
def trained(deployment: Deployment) -> Deployment:
    """A deployment whose Training stack has a job, and whose bucket has a photo in each split."""
    deployment.listed["training"] = [("JobRole014917C6", "AWS::IAM::Role", ROLE)]
    deployment.listed["storage"] = []
    make_stack(deployment, "storage", **{OUTPUT: BUCKET})
    s3 = deployment.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key, body in PHOTOS.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    missing = {"TrainingJobName": "none"}
    deployment.account.answer("sagemaker.DescribeTrainingJob", lambda call: None if call else missing)
    return deployment


def changed(request: JobRequest, *given: str, **options: Any) -> JobRequest:
    chosen = {"data": None, "instances": None, "longest_h": 6.0, **options}
    return Changes.of(given=given, **chosen).checked(environments.load("development"), request).applied(request)


def test_the_request_is_the_templates_with_the_values_of_cloudformation(trained: Deployment) -> None:
    request = request_of(trained.account)

    assert request.image == f"763104351884.dkr.ecr.{REGION}.amazonaws.com/pytorch:2.14-cu133-amzn2023-sagemaker"
    assert request.role_arn == f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
    assert request.data == Location(bucket=BUCKET, prefix="data/")
    assert request.artifacts == Location(bucket=BUCKET, prefix="training/")
    source = request.hyperparameters["sagemaker_submit_directory"]
    assert source.startswith(f"s3://cdk-hnb659fds-assets-{ACCOUNT}-{REGION}/")
    assert request.hyperparameters["sagemaker_region"] == REGION
    assert (request.model_group, request.tags) == ("kennel-development", {"project": "kennel"})
    assert "Fn::" not in str(request)


def test_a_template_that_makes_another_job_than_the_stack_has_is_refused(trained: Deployment) -> None:
    request = request_of(trained.account)
    make_stack(trained, "training", JobName=f"{request.inputs_name}0123456789")
    assert request_of(trained.account) == request

    make_stack(trained, "training", JobName="kennel-development-00000000000123456789")
    with pytest.raises(RetrainError, match="The job of the stack kennel-training is kennel-development-0000000000"):
        request_of(trained.account)


def test_a_reference_that_is_not_known_is_refused(trained: Deployment) -> None:
    template = (GOLDEN / "Training.json").read_text().replace('"Fn::FindInMap"', '"Fn::Select"')
    trained.account.answer("cloudformation.GetTemplate", {"TemplateBody": template})

    with pytest.raises(RetrainError, match=r'has the reference \{"Fn::Select"'):
        request_of(trained.account)


def test_a_stack_without_a_job_names_the_setting(trained: Deployment) -> None:
    trained.account.answer("cloudformation.GetTemplate", {"TemplateBody": json.dumps({"Resources": {}})})

    with pytest.raises(RetrainError, match=r"has no training job: it was deployed with training\.model_data"):
        request_of(trained.account)


def test_a_stack_that_changes_is_not_read(trained: Deployment) -> None:
    trained.failed("training", "UPDATE_IN_PROGRESS")

    with pytest.raises(RetrainError, match="kennel-training is UPDATE_IN_PROGRESS: a deploy changes it now"):
        request_of(trained.account)


def test_options_change_the_job_and_its_name() -> None:
    before = JobRequest.of(properties())
    after = changed(before, "epochs=50", "learning-rate=0.01", instances=4)

    assert after.hyperparameters == {**before.hyperparameters, "epochs": "50", "learning-rate": "0.01"}
    assert after.instance_count == 4
    assert not after.has_same_inputs(before.name("0123456789abcdef"))


def test_the_time_limit_is_no_part_of_the_name_and_spot_keeps_its_wait() -> None:
    before = JobRequest.of(properties(MaxWaitSeconds="3600"))
    after = changed(before, longest_h=10.0)

    assert (after.max_runtime_s, after.max_wait_s) == (36_000, 36_900)
    assert after.inputs_name == before.inputs_name
    assert changed(JobRequest.of(properties())).max_wait_s == 0


def test_the_photos_of_now_are_meant_and_a_chosen_name_of_them_is_kept() -> None:
    assert changed(JobRequest.of(properties(DataVersion="0123456789abcdef"))).data_version == ""
    named = JobRequest.of(properties(DataVersion="spring"))
    assert changed(named).data_version == "spring"
    assert changed(named, data="s3://kennel-photos/data/few/").data_version == ""


def test_photos_that_the_jobs_role_may_not_read_are_refused() -> None:
    request = JobRequest.of(properties())
    assert changed(request, data="s3://kennel-photos/data/few").data.prefix == "data/few/"

    for elsewhere in ("s3://kennel-photos/other/", "s3://other/data/few/", "s3://kennel-photos/database/"):
        with pytest.raises(RetrainError, match="the job's role may read s3://kennel-photos/data/ alone"):
            changed(request, data=elsewhere)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("epoch=5", r"'epoch' is no option of the training\. Did you mean epochs\?"),
        ("max_runtime_min=5", "'max_runtime_min' is no option of the training"),
        ("epochs=5 epochs=6", "epochs is 5 and 6, but one job has one value"),
        ("epochs", r"epochs has no value\. Write epochs=VALUE\."),
        ("epochs=0", "training.epochs is 0, but must be between 1 and 10000"),
        ("epochs=many", "training.epochs is 'many', but must be a whole number"),
        ("mode=half", "training.mode is 'half', but must be one of frozen, full"),
    ],
)
def test_a_wrong_option_is_refused_like_the_setting(given: str, sentence: str) -> None:
    with pytest.raises((RetrainError, SettingsError), match=sentence):
        changed(JobRequest.of(properties()), *given.split())


def test_the_settings_of_a_deploy_with_the_same_job_are_toml() -> None:
    given = ["mode=full", "learning-rate=0.0100", "batch-size=96"]
    found = Changes.of(given=given, data="s3://dogs/data/few", instances=3, longest_h=6.0)
    found = found.checked(environments.load("development"), JobRequest.of(properties()))

    assert found.settings() == {
        "mode": '"full"',
        "learning_rate": "0.01",  # as a deploy writes it: the same hyperparameters are the same job
        "batch_size": "96",
        "data_uri": '"s3://dogs/data/few/"',
        "instance_count": "3",
    }


def test_the_rules_are_those_of_the_deployed_job_with_the_changes() -> None:
    deployed = JobRequest.of(properties(HyperParameters={"batch-size": "48", "epochs": "5"}))

    assert changed(deployed, instances=3).instance_count == 3
    with pytest.raises(SettingsError, match=r"training.batch_size is 48, but must be a multiple of .*instance_count"):
        changed(deployed, instances=5)


def test_a_dry_run_prints_the_request_and_the_price_and_starts_nothing(trained: Deployment) -> None:
    ended = kennel("retrain", "--set", "seed=7", "--dry-run", "--json")
    found = json.loads(ended.stdout)
    request = changed(request_of(trained.account), "seed=7")
    photos = [PhotoFile(key.removeprefix("data/"), len(body), _md5(body)) for key, body in PHOTOS.items()]

    assert ended.exit_code == 0
    assert found["job"] == request.name(digest(photos))
    assert found["status"] is None
    assert found["request"] == request.arguments(found["job"], "ml.g4dn.xlarge")
    assert found["price"]["longest_usd"] == pytest.approx(6 * found["price"]["usd_hour"])
    assert found["price"]["usd_hour"] == pytest.approx(2 * 0.736, rel=0.02)
    assert "sagemaker.CreateTrainingJob" not in trained.account.calls


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def test_photos_that_are_missing_are_named_before_any_question(trained: Deployment) -> None:
    trained.client("s3").delete_object(Bucket=BUCKET, Key="data/test/pug/test.jpg")

    with pytest.raises(RetrainError, match=f"No job was started.* no photos in s3://{BUCKET}/data/test/"):
        kennel("retrain", "--yes")


def test_nothing_is_deployed_is_code_4(account: Account) -> None:
    _ = account
    ended = kennel("retrain")

    assert ended.exit_code == 4
    assert "There is no stack kennel-training in account" in flat(ended.stderr)


def test_a_missing_permission_is_named_at_once(trained: Deployment) -> None:
    """The function of a deploy waits two minutes for such a permission: its role may be new."""
    trained.account.refuse("sagemaker.DescribeTrainingJob", denied("sagemaker:DescribeTrainingJob"))

    with pytest.raises(AccountError, match="These credentials need sagemaker:DescribeTrainingJob"):
        kennel("retrain", "--yes")
    assert trained.account.calls["sagemaker.DescribeTrainingJob"] == 1


def test_without_the_sdk_the_verb_of_make_is_named(
    trained: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _ = trained
    monkeypatch.setattr(sdk.check_installed, "__defaults__", (tmp_path,))

    with pytest.raises(RetrainError, match=r"is not installed.*make sagemaker-sdk"):
        kennel("retrain", "--yes")


def test_without_a_terminal_nothing_is_started(
    trained: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".installed").touch()
    monkeypatch.setattr(sdk.check_installed, "__defaults__", (tmp_path,))

    with pytest.raises(RetrainError, match=r"no terminal to ask in, so nothing was started\. Ask nothing: --yes"):
        kennel("retrain")
    assert "sagemaker.CreateTrainingJob" not in trained.account.calls


CREDENTIALS = Credentials("AKIDEXAMPLE", "EXAMPLE", "of-mfa")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], TrainerClient]:
    """A client whose SDK prints this text, whatever it gets."""

    def made(printed: str) -> TrainerClient:
        python = tmp_path / "bin" / "python"
        python.parent.mkdir()
        python.write_text(f"#!/bin/sh\ncat > '{tmp_path}/request'\ncat <<'END'\n{printed}\nEND\n")
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        (tmp_path / ".installed").touch()
        return TrainerClient(
            client=Described(), credentials=CREDENTIALS, profile="dogs", region=REGION, environment=tmp_path
        )

    return made


def test_the_sdk_gets_the_request_the_keys_the_profile_and_the_region(
    program: Callable[[str], TrainerClient], tmp_path: Path
) -> None:
    client = program('a line of a library\n{"arn": "arn:job"}')

    assert client.create_training_job(TrainingJobName="a-job") == {"TrainingJobArn": "arn:job"}
    sent = json.loads((tmp_path / "request").read_text())
    keys = {"access_key": "AKIDEXAMPLE", "secret_key": "EXAMPLE", "token": "of-mfa"}
    assert sent == {"request": {"TrainingJobName": "a-job"}, "keys": keys, "profile": "dogs", "region": REGION}


def test_what_aws_refuses_comes_back_as_its_error(program: Callable[[str], TrainerClient]) -> None:
    answer = {"error": {"Error": {"Code": "ResourceLimitExceeded", "Message": "The limit is 0."}}}

    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        program(json.dumps(answer)).create_training_job(TrainingJobName="a-job")


def test_a_right_that_is_missing_for_the_start_is_named(program: Callable[[str], TrainerClient]) -> None:
    message = "User: dev is not authorized to perform: iam:PassRole on the role because no identity-based policy allows"
    answer = {"error": {"Error": {"Code": "AccessDeniedException", "Message": message}}}

    with pytest.raises(AccountError, match="These credentials need iam:PassRole"):
        program(json.dumps(answer)).create_training_job(TrainingJobName="a-job")


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        ('{"differs": "Environment is 1, not None"}', "would start another job than the deploy.*Environment is 1"),
        (
            "Traceback",
            r"Install it again.*If the job was started all the same, that command follows it and starts no other",
        ),
        ("", r"did not report the start of the job a-job \(it printed nothing\)"),
        ('{"unreachable": "Token has expired"}', r"\(Token has expired\).*Check the network and the credentials"),
    ],
)
def test_an_sdk_that_fails_is_an_error_with_the_remedy(
    printed: str, sentence: str, program: Callable[[str], TrainerClient]
) -> None:
    with pytest.raises(RetrainError, match=sentence):
        program(printed).create_training_job(TrainingJobName="a-job")


def test_a_job_that_aws_has_is_started_though_the_sdk_failed(program: Callable[[str], TrainerClient]) -> None:
    client = replace(program("Traceback"), client=Described({"TrainingJobArn": "arn:job"}))

    assert client.create_training_job(TrainingJobName="a-job") == {"TrainingJobArn": "arn:job"}


def test_the_next_instance_type_needs_the_sdk_too(tmp_path: Path) -> None:
    with pytest.raises(RetrainError, match=r"is not installed.*make sagemaker-sdk"):
        TrainerClient(
            client=None, credentials=CREDENTIALS, profile=None, region=REGION, environment=tmp_path
        ).create_training_job()


class Described:
    """A SageMaker that gives these answers to DescribeTrainingJob, the last one again and again."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers) or [refused("ValidationException", "Requested resource not found.")]

    def describe_training_job(self, **_: str) -> Any:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeTrainingJob")


REQUEST = JobRequest.of(properties(FallbackInstanceTypes="ml.g5.xlarge"))
RUNNING_JOB = REQUEST.name("0123456789abcdef")
RUNNING = {"TrainingJobName": RUNNING_JOB, "TrainingJobStatus": "InProgress", "CreationTime": datetime.now(UTC)}
PLAN = Plan(first=RUNNING_JOB, job=RUNNING_JOB, status="InProgress", arguments={}, fallbacks=())
LOST = EndpointConnectionError(endpoint_url="https://sagemaker")
INTERRUPTED = SystemExit(130)


class Unread:
    """An account whose log has no group yet."""

    region = REGION

    def client(self, _: str) -> Any:
        raise refused("ResourceNotFoundException", "The specified log group does not exist.")


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trainings]:
    """Trainings that wait for no time. AWS gives these answers about a job."""
    monkeypatch.setattr("ops.retrain.trainings.STATUS_S", 0.0)

    def made(*answers: Any, sleep: Callable[[float], None] = lambda _: None) -> Trainings:
        account: Any = Unread()
        jobs = Jobs(sagemaker=Described(*answers), s3=None, ec2=lambda: None, region=REGION)
        return Trainings(account=account, jobs=jobs, sleep=sleep)

    return made


@pytest.mark.parametrize(
    "ending",
    [
        refused("ExpiredTokenException", "The security token included in the request is expired"),
        TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
        RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
    ],
    ids=["keys", "sso", "role"],
)
def test_a_session_that_ends_says_that_the_job_goes_on(ending: Exception, trainings: Callable[..., Trainings]) -> None:
    """A training lasts longer than most sessions. The same command follows the job with a new one."""
    waiting = trainings(RUNNING, RUNNING, RUNNING, ending)

    with pytest.raises(AccountError, match="aws sso login") as ended:
        _trained(waiting, REQUEST, PLAN, "", err=True)
    assert f"The job {RUNNING_JOB} goes on, and is billed until its end." in str(ended.value)
    assert f"stop-training-job --region {REGION} --training-job-name {RUNNING_JOB}" in str(ended.value)


def test_a_lost_connection_is_reported_once_and_waited_for(trainings: Callable[..., Trainings]) -> None:
    warned: list[str] = []
    failed = {**RUNNING, "TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError"}
    waiting = trainings(RUNNING, RUNNING, LOST, LOST, LOST, RUNNING, RUNNING, LOST, failed)

    with pytest.raises(TrainingError, match="is Failed"):
        waiting.follow(REQUEST, RUNNING_JOB, lambda _: None, warned.append)
    assert len(warned) == 2
    assert "AWS could not be reached" in warned[0]
    assert "The job goes on" in warned[0]


def test_a_second_ctrl_c_still_says_that_the_job_goes_on(
    trainings: Callable[..., Trainings], capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: float) -> None:
        raise INTERRUPTED

    missing = refused("ValidationException", "Requested resource not found.")
    waiting = trainings(missing, RUNNING, missing, RUNNING, INTERRUPTED, sleep=interrupt)

    with pytest.raises(SystemExit):
        _trained(waiting, REQUEST, PLAN, "", err=True)
    assert f"The job {RUNNING_JOB} goes on, and is billed" in capsys.readouterr().err


def test_ctrl_c_during_the_start_does_not_promise_that_nothing_runs(
    trainings: Callable[..., Trainings], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The request may be on its way, and AWS shows the job a moment later."""

    def interrupt(*_: object) -> None:
        raise INTERRUPTED

    monkeypatch.setattr(Trainings, "start", interrupt)
    with pytest.raises(SystemExit):
        _trained(trainings(), REQUEST, replace(PLAN, status=""), "", err=True)
    said = flat(capsys.readouterr().err)
    assert f"AWS does not show the job {RUNNING_JOB} now. If the request was already sent, the job starts" in said
    assert f"--training-job-name {RUNNING_JOB}" in said


def test_a_plan_finds_the_job_that_runs(trained: Deployment) -> None:
    request = changed(request_of(trained.account))
    planned = Trainings.of(OperatedAccount.of("development")).plan(request)
    running = {
        "TrainingJobName": planned.job,
        "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{planned.job}",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Training",
    }
    trained.account.answer("sagemaker.DescribeTrainingJob", running)
    found = Trainings.of(OperatedAccount.of("development")).plan(request)

    assert planned.starts
    assert (found.job, found.status, found.starts) == (planned.job, "InProgress", False)


def test_a_running_job_is_followed_and_its_failure_is_code_3(trained: Deployment) -> None:
    request = changed(request_of(trained.account))
    job = Trainings.of(OperatedAccount.of("development")).plan(request).job
    begun = datetime.now(UTC) - timedelta(minutes=1)
    trained.log(TRAINING_LOG, f"{job}/algo-1-1", "epoch=1 of=2 valid_accuracy=0.5 train_loss=1.25")
    trained.log(TRAINING_LOG, f"{job}/algo-2-1", "epoch=2 of=2 valid_accuracy=0.5 train_loss=1.25")
    running = {
        "TrainingJobName": job,
        "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{job}",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Training",
        "CreationTime": begun,
    }
    failed = {**running, "TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: no memory"}
    answers = iter([running, running])  # of the plan, and of the start of the wait
    trained.account.answer("sagemaker.DescribeTrainingJob", lambda _: next(answers, failed))
    ended = kennel("retrain")  # it asks nothing, because it starts nothing

    assert ended.exit_code == 3
    assert f"The job {job} has the same code, options, instances and photos and is InProgress" in flat(ended.stdout)
    assert "epoch 1 of 2: 50% of the validation photos right, training loss 1.250" in ended.stdout
    assert "epoch 2 of 2" not in ended.stdout  # of the second host
    assert f"kennel: Training job {job} is Failed: AlgorithmError: no memory" in flat(ended.stderr)


def test_the_price_is_that_of_all_instances_and_their_volumes() -> None:
    request = JobRequest.of(properties(InstanceType="ml.m5.large", VolumeGiB="730"))
    one = price(REGION, replace(request, instance_count=1, max_runtime_s=7200).arguments("job", "ml.m5.large"))
    two = price(REGION, replace(request, max_runtime_s=7200).arguments("job", "ml.m5.large"))

    assert one.usd_hour is not None
    assert one.usd_hour > 0.115 + 0.1  # the instance, and a GiB for each hour of a month
    assert two.usd_hour == pytest.approx(2 * one.usd_hour)
    assert two.longest_usd == pytest.approx(4 * one.usd_hour)
    assert f"at most {two.longest_usd:.2f} USD" in in_words(two)


def test_the_highest_price_is_that_of_the_dearest_fallback_type() -> None:
    arguments = JobRequest.of(properties()).arguments("job", "ml.g4dn.xlarge")
    alone, either = price(REGION, arguments), price(REGION, arguments, ("ml.g5.xlarge", "ml.m5.large"))
    dearest = price(REGION, JobRequest.of(properties()).arguments("job", "ml.g5.xlarge"))

    assert either.usd_hour == alone.usd_hour
    assert either.longest_usd == dearest.longest_usd != alone.longest_usd
    assert f"({dearest.usd_hour:.2f} USD on the dearest fallback type)" in in_words(either)
    assert price(REGION, arguments, ("ml.strange.large",)).longest_usd is None


def test_a_price_that_no_table_has_is_not_invented() -> None:
    unknown = price("eu-north-9", JobRequest.of(properties()).arguments("job", "ml.g4dn.xlarge"))
    strange = price(REGION, JobRequest.of(properties()).arguments("job", "ml.strange.large"))

    for found in (unknown, strange):
        assert (found.usd_hour, found.longest_usd) == (None, None)
        assert in_words(found).startswith("What it costs is not known")
