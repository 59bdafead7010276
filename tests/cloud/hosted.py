"""Endpoints on an engine without ministack: real servers, and other services that a test can look into."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.cloud.api import AwsError, Credentials, Json, Request, Response
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.images import Image, Images
from rehearsal.cloud.sagemaker.service import SageMaker
from rehearsal.cloud.sagemaker.serving import Serving
from rehearsal.cloud.sagemaker.tags import Tags
from tests.cloud.fake_engine import FakeEngine

ROLE = "arn:aws:iam::111122223333:role/model"
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/echo:1"
SERVER = Path(__file__).parent / "echo_server.py"


def artifact(**behaviour: Any) -> bytes:
    """A model.tar.gz that tells the echo server what to do."""
    content = json.dumps(behaviour).encode()
    return archive({"behaviour.json": content})


def archive(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class World(FakeEngine):
    """S3, ECR, CloudWatch and its logs, as the model's role sees them. denied: actions such as "s3:GetObject"."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.objects: dict[str, bytes] = {}
        self.denied: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        """Role ARN and action of each call."""
        self.alarms: dict[str, str] = {}
        self.logs: dict[str, list[str]] = {}
        self.published: list[tuple[str, list[Json]]] = []
        self.lock = threading.Lock()

    def client(self, service: str, credentials: Credentials) -> Any:
        return _Client(self, service, credentials.secret_key.removeprefix("secret of "))

    def check(self, credentials: Credentials, action: str, resource: str, **_: str) -> None:
        role = credentials.secret_key.removeprefix("secret of ")
        self.calls.append((role, action))
        if action in self.denied:
            raise AwsError("AccessDeniedException", f"not authorized to perform: {action} on resource: {resource}")

    def answer(self, operation: str, parameters: Json) -> Json:
        """The response of a service."""
        if operation in ("head_object", "get_object"):
            uri = f"s3://{parameters['Bucket']}/{parameters['Key']}"
            if uri not in self.objects:
                raise failure(operation, "NoSuchKey", "The specified key does not exist.")
            return {"Body": io.BytesIO(self.objects[uri])}
        if operation == "put_object":
            self.objects[f"s3://{parameters['Bucket']}/{parameters['Key']}"] = parameters["Body"]
        if operation == "describe_alarms":
            found = [
                {"AlarmName": name, "StateValue": self.alarms[name]}
                for name in parameters["AlarmNames"]
                if name in self.alarms
            ]
            return {"MetricAlarms": found, "CompositeAlarms": []}
        if operation == "batch_get_image" and parameters["imageIds"] != [{"imageTag": IMAGE.rpartition(":")[2]}]:
            return {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}
        if operation == "describe_log_streams":
            return {"logStreams": []}
        if operation == "put_log_events":
            lines = self.logs.setdefault(f"{parameters['logGroupName']} {parameters['logStreamName']}", [])
            lines += [event["message"] for event in parameters["logEvents"]]
        if operation == "put_metric_data":
            self.published.append((parameters["Namespace"], parameters["MetricData"]))
        return {}


class _Client:
    def __init__(self, world: World, service: str, role: str) -> None:
        self._world, self._service, self._role = world, service, role

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> Json:
            action = f"{self._service}:{''.join(part.title() for part in operation.split('_'))}"
            action = action.replace("HeadObject", "GetObject")
            with self._world.lock:
                self._world.calls.append((self._role, action))
                if action in self._world.denied:
                    raise failure(operation, "AccessDeniedException", f"not authorized to perform: {action}")
                return self._world.answer(operation, parameters)

        return call


def failure(operation: str, code: str, message: str) -> ClientError:
    """An error of botocore."""
    name = "".join(part.title() for part in operation.split("_"))
    return ClientError({"Error": {"Code": code, "Message": message}}, name)


class Hosted:
    """SageMaker with models and endpoints on a `World`."""

    def __init__(self, world: World, clock: Clock, *, health_check_s: float, invocation_s: float) -> None:
        serve = ("{python}", "-I", "-S", str(SERVER), "{model}", "{port}")
        images = Images((Image("*/echo:*", serve=serve), Image("*/training:*", train=("true",))), world.folder)
        self.world, self.clock, self.tags = world, clock, Tags()
        self.serving = Serving(
            world,
            images,
            clock,
            self.tags,
            shortest_health_check_s=health_check_s,
            invocation_timeout_s=invocation_s,
        )
        self.service = SageMaker(world, self.serving.parts, self.tags, self.serving.invoke)

    def call(self, operation: str, **parameters: Any) -> Json:
        """The response to an operation, or the error: {"__type": ..., "message": ...}."""
        headers = {"x-amz-target": f"SageMaker.{operation}"}
        body = self.service.answer(Request("POST", "/", headers, json.dumps(parameters).encode())).body
        return dict(json.loads(body))

    def refusal(self, operation: str, **parameters: Any) -> str:
        """The sentence with which an operation is refused."""
        response = self.call(operation, **parameters)
        assert response["__type"] == "ValidationException", response
        return str(response["message"])

    def model(self, name: str, *, parameters: Json | None = None, instances: int = 1, **behaviour: Any) -> None:
        """A model and an endpoint config, both of this name. behaviour: see echo_server.py."""
        uri = f"s3://bucket/{name}/model.tar.gz"
        self.world.objects[uri] = artifact(**behaviour)
        self.call("CreateModel", **model_parameters(name, uri, **(parameters or {})))
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": instances}
        created = self.call("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant])
        assert "EndpointConfigArn" in created, created

    def deployed(self, name: str = "dogs", *, config: str = "first") -> Json:
        """The endpoint, once its creation has ended."""
        created = self.call("CreateEndpoint", EndpointName=name, EndpointConfigName=config)
        assert "EndpointArn" in created, created
        return self.settled(name)

    def settled(self, name: str = "dogs") -> Json:
        """The endpoint, once it is in no transition."""
        self.serving.endpoints.get(name).wait()
        return self.call("DescribeEndpoint", EndpointName=name)

    def updated(self, config: str, **parameters: Any) -> Json:
        """The endpoint, once the update has ended."""
        found = self.call("UpdateEndpoint", EndpointName="dogs", EndpointConfigName=config, **parameters)
        assert "EndpointArn" in found, found
        return self.settled()

    def invoke(self, body: bytes = b"a photo", *, name: str = "dogs", **headers: str) -> Response:
        """The response to InvokeEndpoint. headers: with _ for -."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.service.answer(Request("POST", f"/endpoints/{name}/invocations", sent, body))


def model_parameters(name: str, uri: str, **parameters: Any) -> Json:
    """CreateModel's input."""
    container = {"Image": IMAGE, "ModelDataUrl": uri, "Environment": {"OWN": "yes"}}
    return {"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container, **parameters}


@contextmanager
def hosted(
    folder: Path, *, clock: Clock | None = None, health_check_s: float = 20.0, invocation_s: float = 60.0
) -> Iterator[Hosted]:
    """SageMaker, and no endpoint after the block."""
    found = Hosted(World(folder), clock or Clock(), health_check_s=health_check_s, invocation_s=invocation_s)
    try:
        yield found
    finally:
        for each in found.call("ListEndpoints", MaxResults=100)["Endpoints"]:
            endpoint = found.serving.endpoints.get(each["EndpointName"])
            endpoint.wait()
            found.serving.endpoints.delete(endpoint.name).wait()
