"""The training job's handler while its role, or its role's policy, has not propagated."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from stacks.training.handler.aws_errors import PROPAGATION_WAITS_S, TrainingError
from tests.infra.deployment import Deployment

ROLE = "arn:aws:sts::123456789012:assumed-role/kennel-training/handler"
ANSWER = "AccessDeniedException"


def not_yet(action: str) -> str:
    """IAM's message before a policy has reached the service."""
    return (
        f"User: {ROLE} is not authorized to perform: {action} on resource: x because no identity-based policy allows "
        f"the {action} action"
    )


def denied(action: str) -> str:
    """IAM's message where a policy denies the action: no wait changes it."""
    return (
        f"User: {ROLE} is not authorized to perform: {action} on resource: x with an explicit deny in a service "
        "control policy"
    )


def describe(deployment: Deployment, message: Callable[[str], str]) -> None:
    deployment.sagemaker.fail_next("DescribeTrainingJob", ANSWER, message("sagemaker:DescribeTrainingJob"))


def create(deployment: Deployment, message: Callable[[str], str]) -> None:
    deployment.sagemaker.fail_next("CreateTrainingJob", ANSWER, message("sagemaker:CreateTrainingJob"))


def add_tags(deployment: Deployment, message: Callable[[str], str]) -> None:
    deployment.sagemaker.fail_next("CreateTrainingJob", ANSWER, message("sagemaker:AddTags"))


def pass_role(deployment: Deployment, message: Callable[[str], str]) -> None:
    deployment.sagemaker.fail_next("CreateTrainingJob", ANSWER, message("iam:PassRole"))


def list_photos(deployment: Deployment, message: Callable[[str], str]) -> None:
    deployment.refuse_next_listing(message("s3:ListBucket"))


ERRORS = [describe, create, add_tags, pass_role, list_photos]

AwsError = Callable[[Deployment, Callable[[str], str]], None]


@pytest.mark.parametrize("refuse", ERRORS)
def test_a_create_waits_for_an_iam_permission_that_has_not_propagated(deployment: Deployment, refuse: AwsError) -> None:
    refuse(deployment, not_yet)
    name = deployment.create()["PhysicalResourceId"]
    assert deployment.sagemaker.running == [name]
    assert deployment.slept == [PROPAGATION_WAITS_S[0]]


@pytest.mark.parametrize("refuse", ERRORS)
def test_an_explicit_deny_ends_a_create_at_once(deployment: Deployment, refuse: AwsError) -> None:
    refuse(deployment, denied)
    with pytest.raises((ClientError, TrainingError), match="with an explicit deny"):
        deployment.create()
    assert deployment.slept == []
    assert deployment.sagemaker.running == []


def test_a_poll_waits_for_the_permission_to_describe_the_job_that_it_started(deployment: Deployment) -> None:
    event = deployment.create()
    describe(deployment, not_yet)
    assert deployment.poll(event) == {"IsComplete": False}
    assert deployment.slept == [PROPAGATION_WAITS_S[0]]


def test_a_poll_ends_the_deploy_at_an_explicit_deny(deployment: Deployment) -> None:
    event = deployment.create()
    describe(deployment, denied)
    with pytest.raises(ClientError, match="with an explicit deny"):
        deployment.poll(event)
    assert deployment.slept == []


def test_a_delete_waits_for_the_permission_to_stop_the_job(deployment: Deployment) -> None:
    deployment.create()
    event = deployment.send("Delete")
    deployment.sagemaker.fail_next("StopTrainingJob", ANSWER, not_yet("sagemaker:StopTrainingJob"))
    assert deployment.poll(event) == {"IsComplete": False}
    deployment.sagemaker.settle()
    assert deployment.sagemaker.running == []


def test_a_missing_permission_ends_the_wait_after_two_minutes_with_aws_own_reason(deployment: Deployment) -> None:
    for _ in range(len(PROPAGATION_WAITS_S) + 1):
        describe(deployment, not_yet)
    with pytest.raises(ClientError, match="no identity-based policy allows the sagemaker:DescribeTrainingJob action"):
        deployment.create()
    assert sum(deployment.slept) == 120


def test_a_role_that_may_not_be_assumed_because_of_a_deny_is_not_waited_for(deployment: Deployment) -> None:
    message = "Could not assume role x: not authorized to perform sts:AssumeRole with an explicit deny"
    deployment.sagemaker.fail_next("CreateTrainingJob", "ValidationException", message)
    with pytest.raises(TrainingError, match="explicit deny"):
        deployment.create()
    assert deployment.slept == []
