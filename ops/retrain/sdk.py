"""SageMaker's client, with one call that the SageMaker Python SDK makes in an environment of its own."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from ops.data.aws_errors import is_denied, sentence
from ops.operate.account import AccountError
from ops.retrain.errors import RetrainError

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-sagemaker"
PROGRAM = Path(__file__).with_name("model_trainer.py")
DEFAULTS = Path(__file__).with_name("defaults.yaml")
NEEDS = "sagemaker:CreateTrainingJob, sagemaker:AddTags and iam:PassRole on the job's role"


def check_installed(environment: Path = ENVIRONMENT) -> None:
    """Raise RetrainError if the SDK is not installed."""
    if not (environment / ".installed").is_file():
        raise RetrainError(
            "The SageMaker Python SDK is not installed. It has an environment of its own (.venv-sagemaker, 0.7 GB), "
            "because it needs an older Rich than Kennel. Install it once, then run the same command again: make "
            "sagemaker-sdk"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerClient:
    """A client of SageMaker whose CreateTrainingJob is made by `ModelTrainer`. Every other call is the client's own."""

    client: Any
    credentials: Credentials
    """The SDK's program gets their keys: without a terminal, a profile cannot ask for the code of an MFA device."""
    profile: str | None
    """For what else a profile has, such as a CA bundle."""
    region: str
    environment: Path = ENVIRONMENT

    def __getattr__(self, operation: str) -> Any:
        return getattr(self.client, operation)

    def create_training_job(self, **request: Any) -> dict[str, str]:
        """Start a job.

        Raises AccountError for a missing permission, ClientError if AWS refuses the job for another reason, and
        RetrainError if the SDK is not installed or fails.
        """
        check_installed(self.environment)  # the next instance type may be tried hours after the command's own check
        frozen = self.credentials.get_frozen_credentials()
        keys = {name: getattr(frozen, name) for name in ("access_key", "secret_key", "token")}
        given = json.dumps({"request": request, "keys": keys, "profile": self.profile, "region": self.region})
        # -P: the folder of the program is not searched for packages
        command = [str(self.environment / "bin" / "python"), "-P", str(PROGRAM)]
        with _ended_with_this(command, _variables()) as run:
            printed, errors = run.communicate(given)
        try:
            result = json.loads(printed.splitlines()[-1])
        except (IndexError, ValueError):
            last = errors.strip().splitlines()[-1:] or ["it printed nothing"]
            remedy = "Install it again (rm -r .venv-sagemaker; make sagemaker-sdk), then run the same command again."
            return self._started_all_the_same(request["TrainingJobName"], last[0], remedy)
        if "unreachable" in result:
            remedy = "Check the network and the credentials, then run the same command again."
            return self._started_all_the_same(request["TrainingJobName"], result["unreachable"], remedy)
        if "error" in result:
            refusal = ClientError(result["error"], "CreateTrainingJob")
            if is_denied(refusal):  # not a role that AWS does not know everywhere yet, for which a deploy waits
                raise AccountError(sentence(refusal, "the start of the training job", needs=NEEDS))
            raise refusal
        if "differs" in result:
            raise RetrainError(
                "The SageMaker Python SDK would start another job than the deploy, so none was started: "
                f"{result['differs']}. Its release must be the one in locks/sagemaker-sdk.txt (rm -r .venv-sagemaker; "
                "make sagemaker-sdk)."
            )
        return {"TrainingJobArn": result["arn"]}

    def _started_all_the_same(self, job: str, reason: str, remedy: str) -> dict[str, str]:
        """The job, if AWS has it: the request may have arrived before the SDK failed. Else raises RetrainError."""
        try:
            return {"TrainingJobArn": self.client.describe_training_job(TrainingJobName=job)["TrainingJobArn"]}
        except (BotoCoreError, ClientError):
            raise RetrainError(
                f"The SageMaker Python SDK did not report the start of the job {job} ({reason}), and AWS does not show "
                f"it now. {remedy} If the job was started all the same, that command follows it and starts no other."
            ) from None


def _variables() -> dict[str, str]:
    """The SDK's environment variables: Kennel's defaults, and no look at the role, which IAM grants few operators."""
    return {
        **os.environ,
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(DEFAULTS),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(DEFAULTS),
        "SAGEMAKER_VALIDATE_ROLE": "false",
    }


@contextmanager
def _ended_with_this(command: list[str], variables: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process that does not survive an exception in the block. Ctrl-C reaches it through this process alone."""
    with subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    ) as run:
        try:
            yield run
        finally:
            if run.poll() is None:
                run.kill()
