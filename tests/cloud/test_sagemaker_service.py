"""SageMaker as a service: what a request asks for, the tags, and the hook of SageMaker Runtime."""

import json
from typing import Any

import pytest

from rehearsal.cloud.api import Request, Response
from rehearsal.cloud.sagemaker.service import Invoke, SageMaker
from rehearsal.cloud.sagemaker.tags import Tags
from tests.cloud.fake_engine import FakeEngine

JOB = "arn:aws:sagemaker:us-east-1:111122223333:training-job/dogs"


def call(operation: str, **parameters: Any) -> Request:
    headers = {"x-amz-target": f"SageMaker.{operation}"}
    return Request("POST", "/", headers, json.dumps(parameters).encode())


def invocation(endpoint: str) -> Request:
    return Request("POST", f"/endpoints/{endpoint}/invocations", {}, b"a photo")


def service(tags: Tags | None = None, invoke: Invoke | None = None) -> SageMaker:
    return SageMaker(FakeEngine(), [], tags or Tags(), invoke)


def answer(asked: SageMaker, request: Request) -> Any:
    return json.loads(asked.answer(request).body)


@pytest.mark.parametrize(
    ("operation", "parameters", "resource"),
    [
        ("CreateTrainingJob", {"TrainingJobName": "dogs"}, "training-job/dogs"),
        ("StopTrainingJob", {"TrainingJobName": "dogs"}, "training-job/dogs"),
        ("CreateModel", {"ModelName": "Dogs"}, "model/Dogs"),
        ("DescribeEndpointConfig", {"EndpointConfigName": "dogs"}, "endpoint-config/dogs"),
        ("CreateEndpoint", {"EndpointName": "Dogs", "EndpointConfigName": "x"}, "endpoint/dogs"),
        ("UpdateEndpointWeightsAndCapacities", {"EndpointName": "dogs"}, "endpoint/dogs"),
        ("StopNotebookInstance", {"NotebookInstanceName": "desk"}, "notebook-instance/desk"),
    ],
)
def test_a_request_is_evaluated_on_the_resource_that_it_names(
    operation: str, parameters: dict[str, str], resource: str
) -> None:
    request = call(operation, **parameters)

    assert service().action(request) == f"sagemaker:{operation}"
    assert service().resource(request) == f"arn:aws:sagemaker:us-east-1:111122223333:{resource}"


def test_a_list_is_evaluated_on_every_resource() -> None:
    assert service().resource(call("ListTrainingJobs", NameContains="dogs")) == "*"


def test_tags_are_evaluated_on_the_resource_that_has_them() -> None:
    assert service().resource(call("AddTags", ResourceArn=JOB, Tags=[])) == JOB


def test_an_invocation_is_evaluated_on_the_endpoint_in_lower_case() -> None:
    assert service().action(invocation("Dogs")) == "sagemaker:InvokeEndpoint"
    assert service().resource(invocation("Dogs")) == "arn:aws:sagemaker:us-east-1:111122223333:endpoint/dogs"


def test_an_invocation_reaches_the_endpoint() -> None:
    asked = service(invoke=lambda name, request: Response(200, name.encode() + b": " + request.body))

    assert asked.answer(invocation("dogs")).body == b"dogs: a photo"


def test_what_is_not_rehearsed_is_refused_with_a_sentence() -> None:
    for request in (invocation("dogs"), call("CreateTransformJob", TransformJobName="dogs")):
        response = service().answer(request)
        assert response.status == 501
        assert b"is not rehearsed" in response.body


def test_tags_can_be_added_listed_and_deleted() -> None:
    tags = Tags()
    tags.create(JOB, [{"Key": "project", "Value": "kennel"}])
    asked = service(tags)
    answer(asked, call("AddTags", ResourceArn=JOB, Tags=[{"Key": "team", "Value": "dogs"}]))
    answer(asked, call("DeleteTags", ResourceArn=JOB, TagKeys=["project"]))

    assert answer(asked, call("ListTags", ResourceArn=JOB)) == {"Tags": [{"Key": "team", "Value": "dogs"}]}


def test_tags_of_what_does_not_exist_are_refused() -> None:
    tags = Tags()
    tags.create(JOB, [])
    tags.forget(JOB)

    assert answer(service(tags), call("ListTags", ResourceArn=JOB))["__type"] == "ValidationException"


def test_a_resource_has_at_most_fifty_tags() -> None:
    tags = Tags()
    tags.create(JOB, [{"Key": str(number), "Value": ""} for number in range(50)])

    refused = answer(service(tags), call("AddTags", ResourceArn=JOB, Tags=[{"Key": "one more", "Value": ""}]))
    assert refused["__type"] == "ResourceLimitExceeded"
