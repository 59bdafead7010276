"""Kennel's function in AWS's own runtime client, in front of a container that speaks real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

from rehearsal.aws.lambda_runtime import LambdaRuntime
from rehearsal.aws.sagemaker_runtime import SageMakerRuntime
from tests.rehearsal.container import REPOSITORY, Container, serving


@contextmanager
def function_and_container(*, timeout_s: float = 30, **more: str) -> Iterator[tuple[LambdaRuntime, Container]]:
    """The container is the endpoint `dogs`. more: environment variables of the function."""
    with serving() as container, SageMakerRuntime({"dogs": container.url}) as service:
        variables = {"ENDPOINT_NAME": "dogs", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": service.url, **more}
        with LambdaRuntime(
            "lambda_fn.handler.handler", task_root=REPOSITORY, env=variables, timeout_s=timeout_s
        ) as function:
            yield function, container
