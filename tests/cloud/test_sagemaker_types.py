"""CloudFormation's types of SageMaker: what it creates, replaces, updates and deletes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.api import AwsError, Json
from rehearsal.cloud.clock import Clock
from tests.cloud.hosted import IMAGE, ROLE, Hosted, artifact, hosted


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Hosted]:
    with hosted(tmp_path, clock=Clock(speed=1000)) as found:
        yield found


def model(cloud: Hosted, name: str, **behaviour: object) -> Json:
    """The properties of a model."""
    uri = f"s3://bucket/{name}/model.tar.gz"
    cloud.world.objects[uri] = artifact(**behaviour)
    return {
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": "true",
        "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": uri, "Environment": {"WORKERS": 1}},
    }


def config(model_name: str) -> Json:
    variant = {"VariantName": "AllTraffic", "ModelName": model_name, "InitialInstanceCount": "1"}
    return {"ProductionVariants": [variant]}


def created(cloud: Hosted, name: str, **behaviour: object) -> str:
    """The name of an endpoint config, of a model that behaves so."""
    types = cloud.serving.types
    made = types["AWS::SageMaker::Model"].create("Model", model(cloud, name, **behaviour), "stack")
    wanted = config(made.attributes["ModelName"])
    return str(
        types["AWS::SageMaker::EndpointConfig"].create("Config", wanted, "stack").attributes["EndpointConfigName"]
    )


def endpoint(config_name: str, **properties: object) -> Json:
    return {"EndpointName": "Dogs", "EndpointConfigName": config_name, **properties}


def test_an_endpoint_is_created_once_it_is_in_service(cloud: Hosted) -> None:
    made = cloud.serving.types["AWS::SageMaker::Endpoint"].create("E", endpoint(created(cloud, "a", says="a")), "stack")

    assert made.physical_id == "arn:aws:sagemaker:us-east-1:111122223333:endpoint/dogs"
    assert made.attributes["EndpointName"] == "Dogs"
    assert cloud.invoke().body == b"a"


def test_a_create_that_fails_has_the_reason_and_leaves_no_endpoint(cloud: Hosted) -> None:
    failing = endpoint(created(cloud, "a", exit=1))

    with pytest.raises(AwsError, match="did not pass the ping health check"):
        cloud.serving.types["AWS::SageMaker::Endpoint"].create("E", failing, "stack")
    assert cloud.call("ListEndpoints")["Endpoints"] == []


def test_a_property_outside_sagemakers_limits_fails_its_resource(cloud: Hosted) -> None:
    traffic = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": "300"}
    policy = {"TrafficRoutingConfiguration": traffic, "MaximumExecutionTimeoutInSeconds": "599"}
    properties = endpoint(created(cloud, "a"), DeploymentConfig={"BlueGreenUpdatePolicy": policy})

    with pytest.raises(AwsError, match="Member must have value greater than or equal to 600"):
        cloud.serving.types["AWS::SageMaker::Endpoint"].create("E", properties, "stack")


def test_a_changed_model_is_another_one(cloud: Hosted) -> None:
    models = cloud.serving.types["AWS::SageMaker::Model"]
    first = models.create("Model", model(cloud, "a"), "stack")
    second = models.update(first.physical_id, model(cloud, "a"), model(cloud, "b"), "stack")

    assert second.physical_id != first.physical_id
    assert len(cloud.call("ListModels")["Models"]) == 2
    models.delete(first.physical_id, {})
    models.delete(first.physical_id, {})  # CloudFormation may repeat it
    (left,) = cloud.call("ListModels")["Models"]
    assert left["ModelName"] == second.attributes["ModelName"]
    described = cloud.call("DescribeModel", ModelName=left["ModelName"])
    assert described["EnableNetworkIsolation"] is True
    assert described["PrimaryContainer"]["Environment"] == {"WORKERS": "1"}


def test_a_changed_endpoint_is_updated_in_place(cloud: Hosted) -> None:
    endpoints = cloud.serving.types["AWS::SageMaker::Endpoint"]
    old, new = endpoint(created(cloud, "a", says="a")), endpoint(created(cloud, "b", says="b"), Tags=[])
    made = endpoints.create("E", old, "stack")

    assert endpoints.update(made.physical_id, old, new, "stack").physical_id == made.physical_id
    assert cloud.invoke().body == b"b"


def test_an_update_that_sagemaker_rolled_back_is_complete_for_cloudformation(cloud: Hosted) -> None:
    """AWS's handler waits for InService, and so an app needs a check of its own after its deploy."""
    endpoints = cloud.serving.types["AWS::SageMaker::Endpoint"]
    old, new = endpoint(created(cloud, "a", says="a")), endpoint(created(cloud, "b", exit=1))
    made = endpoints.create("E", old, "stack")

    endpoints.update(made.physical_id, old, new, "stack")
    shown = cloud.call("DescribeEndpoint", EndpointName="Dogs")
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", old["EndpointConfigName"])
    assert "FailureReason" in shown


def test_new_tags_are_no_deployment(cloud: Hosted) -> None:
    endpoints = cloud.serving.types["AWS::SageMaker::Endpoint"]
    old = endpoint(created(cloud, "a"))
    made = endpoints.create("E", old, "stack")
    pid = cloud.invoke(b"pid").body
    endpoints.update(made.physical_id, old, {**old, "Tags": [{"Key": "team", "Value": "dogs"}]}, "stack")

    assert cloud.call("ListTags", ResourceArn=made.physical_id)["Tags"] == [{"Key": "team", "Value": "dogs"}]
    assert cloud.invoke(b"pid").body == pid


def test_a_deleted_endpoint_is_gone_when_its_deletion_returns(cloud: Hosted) -> None:
    endpoints = cloud.serving.types["AWS::SageMaker::Endpoint"]
    made = endpoints.create("E", endpoint(created(cloud, "a")), "stack")
    endpoints.delete(made.physical_id, {})

    assert cloud.call("ListEndpoints")["Endpoints"] == []
    endpoints.delete(made.physical_id, {})
