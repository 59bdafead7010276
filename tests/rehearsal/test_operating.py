"""`kennel status`, `why` and `logs` on the local AWS: nothing deployed, a deployment that works, three faults, and
changes outside the deploy.

Each command runs as a user who has the policy of docs/operating.md and nothing else.
"""

import base64
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ops.data.bucket import output_of
from ops.rehearse import account
from ops.rehearse.broken_model import write_broken
from ops.rehearse.callers import callers
from ops.rehearse.command_line import CdkFailedError
from ops.rehearse.isolation import without_foreign
from ops.rehearse.stage import Stage
from ops.smoke.artifact import packed
from ops.views.training_log import TrainingLines
from tests.builders import any_photo, write_artifact
from tests.patience import wait_until
from tests.rehearsal.deployments import KENNEL, REPOSITORY
from tests.rehearsal.empty_stage import empty_stage, ignore

pytestmark = pytest.mark.slow

OTHER_NAMES = {
    "lambda:PutFunctionConcurrency": "arn:aws:lambda:*:*:function:kennel-*",  # for GetFunctionConcurrency
    "lambda:GetFunction": "arn:aws:lambda:*:*:function:kennel-*",  # for GetProvisionedConcurrencyConfig
    "lambda:ListAliases": "arn:aws:lambda:*:*:function:kennel-*",  # for GetAlias
    "events:DescribeRule": "arn:aws:events:*:*:rule/default/kennel-*",  # AWS's ARN has no `default`
    "events:ListTargetsByRule": "*",  # it passes no resource
    "ecr:DescribeRepositories": "*",  # it passes no resource
    "budgets:DescribeBudget": "*",  # for ViewBudget
}
"""Calls of the documented policy that the local AWS decides by another action or resource than AWS does."""
POLICY = re.compile(r"```json\n(\{.*?\n\})\n```", re.DOTALL)
PHOTO = {"image": base64.b64encode(any_photo((200, 40, 40))).decode()}
"""With colours: the broken model fails for it."""


class Operator:
    """Runs commands as a user with the documented policy."""

    def __init__(self, stage: Stage) -> None:
        policy = POLICY.findall((REPOSITORY / "docs" / "operating.md").read_text())[0]
        policy = policy.replace("ACCOUNT", stage.aws.settings.account).replace("REGION", stage.aws.settings.region)
        # CloudFormation names a log group after its stack; the local AWS puts it into a folder of that name
        policy = policy.replace(":log-group:kennel-api-*:*", ":log-group:/aws/cloudformation/kennel-api/*:*")
        iam = stage.client("iam")
        iam.create_user(UserName="operator")
        iam.put_user_policy(UserName="operator", PolicyName="operating", PolicyDocument=policy)
        statements = [{"Effect": "Allow", "Action": key, "Resource": value} for key, value in OTHER_NAMES.items()]
        local = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="operator", PolicyName="local", PolicyDocument=local)
        key = iam.create_access_key(UserName="operator")["AccessKey"]
        keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        self.variables = {**without_foreign(os.environ), **account.variables(stage.aws, stage.environment), **keys}

    def run(self, *words: str, variables: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """A command, to its end."""
        return subprocess.run(
            [*KENNEL, *words],
            cwd=REPOSITORY,
            env={**self.variables, **(variables or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, command: str, *, code: int) -> Any:
        """What a command prints as JSON. code: its exit code."""
        ended = self.run(command, "--json")
        assert ended.returncode == code, ended.stdout + ended.stderr
        return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A local AWS with nothing of Kennel."""
    with empty_stage(tmp_path_factory.mktemp("operating")) as made:
        yield made


@pytest.fixture(scope="module")
def operator(stage: Stage) -> Operator:
    return Operator(stage)


def deploy(stage: Stage, name: str, stacks: list[str], *settings: str) -> None:
    """Deploy with these settings."""
    assembly = stage.folder(name)
    stage.synthesise(assembly, f"synth-{name}", *settings)
    stage.deploy(f"deploy-{name}", stacks, ignore, assembly=assembly, lines=TrainingLines(ignore))


def put_model(stage: Stage, name: str, folder: Path) -> str:
    """Send an artifact to the bucket. Returns the setting that names it."""
    bucket = output_of("storage", "BucketName", environment="development")
    key = f"training/{name}/model.tar.gz"
    stage.client("s3").put_object(Bucket=bucket, Key=key, Body=packed(folder))
    return f"training.model_data=s3://{bucket}/{key}"


def test_from_nothing_to_a_deployment_and_through_three_faults(
    stage: Stage, operator: Operator, tmp_path: Path
) -> None:
    """One test: each state is made from the one before it, and a deployment takes most of a minute."""
    _nothing_deployed(operator)
    _training_fails(stage, operator)
    model = write_artifact(tmp_path / "model")
    _works(stage, operator, put_model(stage, "good", model))
    _follows(stage, operator)
    _changed_by_hand(stage, operator)
    _rolls_back(stage, operator, put_model(stage, "broken", write_broken(model, tmp_path / "broken")))
    _function_fails(stage, operator)


def _nothing_deployed(operator: Operator) -> None:
    assert operator.json("status", code=4)["deployed"] is False
    assert operator.json("why", code=4)["nothing_deployed"] is True
    ended = operator.run("logs", "deploy")
    assert ended.returncode == 4
    assert "Nothing of the environment development is deployed" in ended.stderr
    wrong = operator.run("status", variables={"AWS_SECRET_ACCESS_KEY": "of-another-key"})
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert re.fullmatch(r"kennel: .*(secret key does not belong|does not recognise this access key).*\n", wrong.stderr)


def _training_fails(stage: Stage, operator: Operator) -> None:
    stage.deploy("deploy-storage", ["Storage"], ignore)
    bucket = output_of("storage", "BucketName", environment="development")
    for split in ("train", "valid", "test"):
        for breed in ("Beagle", "Boxer"):
            key = f"data/{split}/{breed}/1.jpg"
            stage.client("s3").put_object(Bucket=bucket, Key=key, Body=b"\xff\xd8\xff\xe0 not a photo")
    with pytest.raises(CdkFailedError):
        deploy(stage, "bad-photos", ["Training"], "training.data_version=bad")

    found = operator.json("status", code=3)
    assert found["unknown"] == []
    assert "The stack kennel-training is ROLLBACK_COMPLETE: its last deploy failed." in found["problems"]
    (failure,) = operator.json("why", code=3)["failures"]
    assert failure["runbook"] == "docs/runbook.md#a-training-job-failed"
    assert "Custom::TrainingJob" in failure["details"][0]
    messages = [line["message"] for line in failure["lines"]]
    assert any("Training failed (rank " in message for message in messages), messages  # of the host that failed first
    assert "skipped=train/Beagle/1.jpg" in operator.run("logs", "training").stdout


def _works(stage: Stage, operator: Operator, setting: str) -> None:
    deploy(stage, "good", ["Training", "Serving", "Api"], setting)

    found = operator.json("status", code=0)
    assert (found["problems"], found["unknown"]) == ([], [])
    assert found["endpoint"]["config"] == found["endpoint"]["deployed_config"]
    assert f"training.model_data={found['endpoint']['model_data']}" == setting
    assert [variant["current"] for variant in found["endpoint"]["variants"]] == [1]
    assert len(found["alarms"]) == 10
    assert found["cost"]["stacks_usd_hour"]["Serving"] > 0.1  # one ml.m5.large
    assert operator.json("why", code=0) == {"nothing_deployed": False, "failures": [], "unknown": []}
    screen = operator.run("status").stdout
    assert screen.splitlines()[-1].strip() == "Everything works."
    assert len(screen.splitlines()) < 25
    ended = operator.run("logs", "deploy", "--json")
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    assert any("CREATE_COMPLETE  AWS::SageMaker::Endpoint" in each["message"] for each in events)


def _follows(stage: Stage, operator: Operator) -> None:
    """Every call is one line, once, and Ctrl-C ends it."""
    stage.function.invoke(PHOTO)
    command = [*KENNEL, "logs", "lambda", "-f", "--json"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=operator.variables, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        ids: list[str] = []

        def read_until(count: int) -> None:
            while len(ids) < count:
                assert run.stdout
                line = run.stdout.readline()
                assert line, "it ended"
                message = json.loads(line)["message"]
                if message.startswith("{"):
                    ids.append(json.loads(message)["request_id"])

        read_until(1)
        for _ in range(5):
            stage.function.invoke(PHOTO)
        read_until(6)
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()

    assert run.returncode == 0
    assert len(set(ids)) == 6
    assert "request_id" not in rest


def _changed_by_hand(stage: Stage, operator: Operator) -> None:
    """Each change is the first failure, and is gone once it is put back."""
    functions, iam = stage.client("lambda"), stage.client("iam")
    functions.put_function_concurrency(FunctionName="kennel-api", ReservedConcurrentExecutions=0)
    with pytest.raises(functions.exceptions.TooManyRequestsException):
        functions.invoke(FunctionName="kennel-api", Qualifier="live", Payload=b"{}")
    failure, *_ = operator.json("why", code=3)["failures"]
    assert failure["runbook"] == "docs/runbook.md#the-function-is-throttled"
    assert "its reserved concurrency is 0, so Lambda throttles every call" in failure["what"]
    functions.delete_function_concurrency(FunctionName="kennel-api")

    role = functions.get_function_configuration(FunctionName="kennel-api")["Role"].rpartition("/")[2]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    before = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    failure, *_ = operator.json("why", code=3)["failures"]
    assert failure["runbook"] == "docs/runbook.md#a-role-lost-its-rights"
    assert f"The inline policy {name} of the template is not in the account" in failure["what"]
    printed = shlex.split(failure["details"][0].removeprefix("Put back: "))[-1]
    assert json.loads(printed) == before
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=printed)

    rule = next(each["Name"] for each in stage.client("events").list_rules()["Rules"] if "RolledBack" in each["Name"])
    stage.client("events").disable_rule(Name=rule)
    (change,) = operator.json("status", code=3)["changes"]
    assert change["kind"] == "alerts"
    stage.client("events").enable_rule(Name=rule)
    assert operator.json("status", code=3)["changes"] == []  # the throttled calls are still said for an hour


def _rolls_back(stage: Stage, operator: Operator, setting: str) -> None:
    with callers(stage.function, PHOTO), pytest.raises(CdkFailedError):
        deploy(stage, "broken", ["Serving", "--exclusively"], setting)

    problems = operator.json("status", code=3)["problems"]
    assert "The stack kennel-serving is UPDATE_ROLLBACK_COMPLETE: its last deploy failed." in problems
    failure, *others = operator.json("why", code=3)["failures"]
    assert failure["runbook"] == "docs/runbook.md#a-rollout-was-rolled-back"
    assert "SageMaker rolled the update back" in failure["details"][1]
    assert "ServerErrors" in failure["details"][1]
    assert any("its output is not finite" in line["message"] for line in failure["lines"])
    assert [each["kind"] for each in others if each["kind"] not in ("alarm", "throttles")] == []


def _function_fails(stage: Stage, operator: Operator) -> None:
    functions = stage.client("lambda")
    functions.update_function_configuration(FunctionName="kennel-api", Handler="lambda_fn.absent.handler")
    answer = functions.invoke(FunctionName="kennel-api", Payload=b"{}")
    assert answer["FunctionError"]
    assert wait_until(lambda: "lambda_fn.absent" in operator.run("logs", "lambda").stdout)

    failure, *others = operator.json("why", code=3)["failures"]
    assert failure["runbook"] == "docs/runbook.md#the-function-fails"
    assert any("No module named 'lambda_fn.absent'" in line["message"] for line in failure["lines"])
    assert "docs/runbook.md#a-rollout-was-rolled-back" in [each["runbook"] for each in others]
