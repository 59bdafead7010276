"""Models and endpoints: real servers behind the operations of SageMaker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.containers import Containers
from tests.cloud.hosted import IMAGE, ROLE, Hosted, archive, hosted, model_parameters
from tests.patience import wait_until

PING = (
    "The primary container for production variant AllTraffic did not pass the ping health check. Please check "
    "CloudWatch logs for this endpoint."
)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Hosted]:
    with hosted(tmp_path) as found:
        yield found


def test_an_endpoint_answers_once_its_servers_do(cloud: Hosted) -> None:
    cloud.model("first", says="a poodle", unhealthy=3)
    endpoint = cloud.deployed()

    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", "first")
    (variant,) = endpoint["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 1)
    assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE
    response = cloud.invoke()
    assert (response.status, response.body) == (200, b"a poodle")
    assert response.headers["x-Amzn-Invoked-Production-Variant"] == "AllTraffic"


def test_an_endpoint_that_is_created_is_not_yet_in_service(cloud: Hosted) -> None:
    cloud.model("first", start_s=0.3)
    cloud.call("CreateEndpoint", EndpointName="dogs", EndpointConfigName="first")

    creating = cloud.call("DescribeEndpoint", EndpointName="dogs")
    assert creating["EndpointStatus"] == "Creating"
    assert creating["PendingDeploymentSummary"]["EndpointConfigName"] == "first"
    refused = cloud.invoke()
    assert (refused.status, refused.headers["x-amzn-ErrorType"]) == (400, "ValidationError")
    assert "in-progress" in cloud.refusal("DeleteEndpoint", EndpointName="dogs")
    assert cloud.settled()["EndpointStatus"] == "InService"


@pytest.mark.parametrize("behaviour", [{"exit": 1}, {"unhealthy": 1_000_000}, {"start_s": 60}], ids=str)
def test_a_server_that_is_not_healthy_in_time_fails_the_endpoint(tmp_path: Path, behaviour: dict[str, Any]) -> None:
    with hosted(tmp_path, health_check_s=1.0 if "exit" not in behaviour else 20.0) as cloud:
        cloud.clock.speed = 1000  # the limit of 480 s is shorter than the shortest one
        cloud.model("first", **behaviour)
        endpoint = cloud.deployed()

        assert (endpoint["EndpointStatus"], endpoint["FailureReason"]) == ("Failed", PING)
        assert "with the status Failed" in cloud.refusal(
            "UpdateEndpoint", EndpointName="dogs", EndpointConfigName="first"
        )
        (lines,) = cloud.world.logs.values()
        assert lines[0] == "the model is in ['behaviour.json']"


def test_the_log_of_a_server_that_ends_says_why(cloud: Hosted) -> None:
    cloud.model("first", exit=1)
    cloud.deployed("Dogs")

    ((stream, lines),) = cloud.world.logs.items()
    assert stream.startswith("/aws/sagemaker/Endpoints/Dogs AllTraffic/i-")
    assert lines.count("the model cannot be loaded") == 3  # of each start
    assert (ROLE, "logs:PutLogEvents") in cloud.world.calls


def test_the_artifact_is_read_with_the_rights_of_the_models_role(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.world.denied.add("s3:GetObject")

    reason = cloud.deployed()["FailureReason"]
    assert reason.startswith('Failed to download model data for container "container_1" from URL: "s3://bucket/first/')
    assert (ROLE, "s3:GetObject") in cloud.world.calls


def test_a_model_of_an_unreadable_artifact_is_not_created(cloud: Hosted) -> None:
    refused = cloud.call("CreateModel", **model_parameters("first", "s3://bucket/nothing/model.tar.gz"))

    assert refused["__type"] == "ValidationException"
    assert refused["message"].startswith("Could not access model data at s3://bucket/nothing/model.tar.gz.")


@pytest.mark.parametrize("content", [b"no archive", archive({"../out": b"x"})], ids=["not-an-archive", "leads-out"])
def test_an_artifact_that_cannot_be_unpacked_fails_the_endpoint(cloud: Hosted, content: bytes) -> None:
    cloud.model("first")
    cloud.world.objects["s3://bucket/first/model.tar.gz"] = content

    assert cloud.deployed()["FailureReason"].startswith("Failed to extract model data archive")
    assert not list(cloud.world.folder.rglob("out"))


def test_the_image_is_pulled_with_the_rights_of_the_models_role(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.deployed()
    pulled = {action for role, action in cloud.world.calls if role == ROLE and action.startswith("ecr:")}
    assert pulled == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
    }

    cloud.world.denied.add("ecr:BatchGetImage")
    reason = cloud.deployed("cats")["FailureReason"]
    assert reason == f"The role '{ROLE}' does not have BatchGetImage permission for the image: '{IMAGE}'."


def test_an_image_that_was_not_pushed_fails_the_endpoint(cloud: Hosted) -> None:
    image = IMAGE.replace(":1", ":2")
    cloud.model("first", parameters={"PrimaryContainer": {"Image": image}})

    assert cloud.deployed()["FailureReason"] == f"Requested image {image} not found."


def test_the_role_may_pull_an_image_of_another_account(cloud: Hosted) -> None:
    image = IMAGE.replace("111122223333", "763104351884")
    cloud.model("first", parameters={"PrimaryContainer": {"Image": image}})
    assert cloud.deployed()["EndpointStatus"] == "InService"

    cloud.world.denied.add("ecr:BatchGetImage")
    reason = cloud.deployed("cats")["FailureReason"]
    assert reason.startswith("Access denied for repository: echo in registry ID: 763104351884.")
    assert reason.endswith("ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:763104351884:repository/echo")


def test_a_model_asks_for_the_right_to_pass_its_role(cloud: Hosted) -> None:
    cloud.model("first")

    assert cloud.world.passed_roles == [(ROLE, "sagemaker.amazonaws.com")]


def test_tags_in_a_request_need_the_right_to_tag(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.world.denied.add("sagemaker:AddTags")
    tags = [{"Key": "team", "Value": "dogs"}]
    refused = cloud.call("CreateEndpoint", EndpointName="dogs", EndpointConfigName="first", Tags=tags)

    assert refused["__type"] == "AccessDeniedException"
    assert refused["message"].endswith("AddTags on resource: arn:aws:sagemaker:us-east-1:111122223333:endpoint/dogs")
    assert cloud.deployed()["EndpointStatus"] == "InService"


def test_a_model_needs_an_image_that_serves(cloud: Hosted) -> None:
    container = {"Image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/training:1"}
    refused = cloud.call("CreateModel", ModelName="x", ExecutionRoleArn=ROLE, PrimaryContainer=container)

    assert "has no serve command" in refused["message"]


def test_a_server_gets_no_credentials_of_the_local_aws(cloud: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the root key")
    cloud.model("first", parameters={"EnableNetworkIsolation": True})
    cloud.model("second")
    cloud.deployed("isolated")
    cloud.deployed("connected", config="second")

    isolated = json.loads(cloud.invoke(b"environment", name="isolated").body)
    connected = json.loads(cloud.invoke(b"environment", name="connected").body)
    assert not {name for name in isolated if "KEY" in name or "TOKEN" in name}
    assert (isolated["OWN"], isolated["AWS_REGION"]) == ("yes", "us-east-1")
    assert connected["AWS_SECRET_ACCESS_KEY"] == f"secret of {ROLE}"
    assert connected["AWS_ENDPOINT_URL"] == cloud.world.url


def test_a_deleted_endpoint_is_gone(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.deployed()
    cloud.call(
        "AddTags",
        ResourceArn="arn:aws:sagemaker:us-east-1:111122223333:endpoint/dogs",
        Tags=[{"Key": "a", "Value": "b"}],
    )
    endpoint = cloud.serving.endpoints.get("DOGS")
    cloud.call("DeleteEndpoint", EndpointName="dogs")

    assert endpoint.wait() == "Deleted"
    assert cloud.refusal("DescribeEndpoint", EndpointName="dogs") == f'Could not find endpoint "{endpoint.arn}".'
    assert cloud.call("ListEndpoints")["Endpoints"] == []
    assert cloud.invoke().status == 400
    assert "not found" in cloud.refusal("ListTags", ResourceArn=endpoint.arn)


def test_the_name_of_an_endpoint_is_free_when_its_deletion_is_known(cloud: Hosted) -> None:
    free: list[bool] = []
    announce = cloud.world.put_event

    def put_event(source: str, kind: str, detail: Json, resources: list[str]) -> None:
        announce(source, kind, detail, resources)
        if detail["EndpointStatus"] == "DELETED":
            free.append(cloud.serving.endpoints.find("dogs") is None)

    cloud.world.put_event = put_event  # type: ignore[method-assign]
    cloud.model("first")
    cloud.deployed()
    cloud.serving.endpoints.delete("dogs").wait()

    assert wait_until(lambda: free == [True])


def test_a_fleet_that_cannot_be_ended_cleanly_leaves_no_endpoint_in_transition(
    cloud: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(containers: Containers) -> None:
        end(containers)
        raise OSError("input/output error")

    end = Containers.close
    cloud.model("first")
    cloud.model("second", says="new")
    cloud.deployed()
    endpoint = cloud.serving.endpoints.get("dogs")
    monkeypatch.setattr(Containers, "close", fails)

    cloud.call("UpdateEndpoint", EndpointName="dogs", EndpointConfigName="second")
    assert wait_until(lambda: endpoint.status == "InService")
    assert cloud.invoke().body == b"new"
    cloud.serving.endpoints.delete("dogs")
    assert wait_until(lambda: endpoint.status == "Deleted")
    assert cloud.call("ListEndpoints")["Endpoints"] == []


def test_logs_are_written_again_after_a_failure(cloud: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_once(containers: Containers) -> None:
        monkeypatch.setattr(Containers, "write_logs", write)
        raise OSError("input/output error")

    write = Containers.write_logs
    cloud.model("first")
    cloud.deployed()
    monkeypatch.setattr(Containers, "write_logs", fails_once)
    assert wait_until(lambda: Containers.write_logs is write)
    cloud.invoke(b"end")

    assert wait_until(lambda: cloud.invoke().status == 200)  # the same thread starts the server again


def test_a_name_is_used_once(cloud: Hosted) -> None:
    cloud.model("first")
    cloud.deployed()
    uri = "s3://bucket/first/model.tar.gz"

    assert "already existing model" in cloud.refusal("CreateModel", **model_parameters("first", uri))
    assert "already existing endpoint" in cloud.refusal(
        "CreateEndpoint", EndpointName="DOGS", EndpointConfigName="first"
    )
    variant = {"VariantName": "AllTraffic", "ModelName": "first", "InitialInstanceCount": 1}
    again = cloud.refusal("CreateEndpointConfig", EndpointConfigName="first", ProductionVariants=[variant])
    assert "already existing endpoint configuration" in again


def test_a_config_names_models_that_exist(cloud: Hosted) -> None:
    variant = {"VariantName": "AllTraffic", "ModelName": "nothing", "InitialInstanceCount": 1}
    refused = cloud.call("CreateEndpointConfig", EndpointConfigName="first", ProductionVariants=[variant])

    assert refused["message"] == 'Could not find model "arn:aws:sagemaker:us-east-1:111122223333:model/nothing".'


def test_a_list_has_pages(cloud: Hosted) -> None:
    for name in ("a1", "a2", "a3", "b1"):
        cloud.model(name)

    first = cloud.call("ListModels", NameContains="a", SortBy="Name", SortOrder="Ascending", MaxResults=2)
    second = cloud.call(
        "ListModels", NameContains="a", SortBy="Name", SortOrder="Ascending", NextToken=first["NextToken"]
    )
    assert [model["ModelName"] for model in first["Models"] + second["Models"]] == ["a1", "a2", "a3"]
    assert "NextToken" not in second
    assert len(cloud.call("ListEndpointConfigs")["EndpointConfigs"]) == 4
