"""The instances of one variant under one endpoint config: started, counted, replaced when they end, and ended.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html and
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html
"""

import contextlib
import os
import random
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.aws.invocation import INVOCATION_TIMEOUT_S
from rehearsal.cloud.api import AwsError, Credentials, Engine, Json
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.images import Images
from rehearsal.cloud.sagemaker import artifact
from rehearsal.cloud.sagemaker.container_logs import ContainerLogs
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.instance_metrics import NAMESPACE, InstanceMetrics
from rehearsal.cloud.sagemaker.pull import is_private, pull
from rehearsal.cloud.sagemaker.server import Server, command, variables
from rehearsal.cloud.sagemaker.service import arn
from rehearsal.processes import ProcessFailedError, ProcessGroup, free_port

SERVICE = "sagemaker.amazonaws.com"
DEFAULT_HEALTH_CHECK_S = 480
"""SageMaker gives a container eight minutes to pass the health check, unless the variant sets another limit."""
SHORTEST_HEALTH_CHECK_S = 60.0
"""In real seconds: a process does not start faster because the clock runs faster."""
MOST_STARTS = 3
"""A container that ends is started again. SageMaker does so until the health check's limit; here it ends sooner."""
LOOK_S = 0.05
WRITE_LOGS_S = 0.5
DRAIN_S = 65.0
"""A little more than the longest invocation."""
GRACE_S = 5.0
"""Between SIGTERM and SIGKILL. SageMaker waits 30 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hosting:
    """What every fleet needs."""

    engine: Engine
    images: Images
    clock: Clock
    shortest_health_check_s: float = SHORTEST_HEALTH_CHECK_S
    invocation_timeout_s: float = INVOCATION_TIMEOUT_S
    python: str = field(default_factory=lambda: os.environ.get("REHEARSAL_PYTHON", sys.executable))


class VariantFleet:
    """The instances of a variant. declared: the variant as the endpoint config has it. model: as CreateModel got it."""

    def __init__(
        self, hosting: Hosting, endpoint: str, declared: Json, model: Json, *, on_change: Callable[[], None]
    ) -> None:
        self._hosting = hosting
        self._endpoint = endpoint
        self._endpoint_arn = arn(hosting.engine, "endpoint", endpoint)
        self._declared = declared
        self._model = model
        self._on_change = on_change
        self.name = str(declared["VariantName"])
        self.weight = float(declared.get("InitialVariantWeight", 1.0))
        self.desired_weight = self.weight
        self.desired = int(declared["InitialInstanceCount"])
        self.image = str(container_of(model)["Image"])
        self.resolved_at = datetime.now(UTC)
        routing = declared.get("RoutingConfig") or {}
        self._least_outstanding = routing.get("RoutingStrategy") == "LEAST_OUTSTANDING_REQUESTS"
        endpoints = hosting.engine.folder / "endpoints"
        self._folder = endpoints / endpoint.lower() / f"{self.name}-{secrets.token_hex(4)}"
        self._group = ProcessGroup(self._folder, grace_s=GRACE_S)
        self._clients: dict[str, Any] = {}
        self._metrics = InstanceMetrics(hosting.engine.folder)
        self._servers: list[Server] = []
        self._logs: dict[Server, ContainerLogs] = {}
        self._routing = threading.Condition()
        self._resizing = threading.Lock()
        self._closed = threading.Event()
        self._writing = threading.Lock()
        self._started = False
        self._watch = threading.Thread(target=self._keep, name=f"fleet-{endpoint}", daemon=True)

    # -- state

    @property
    def in_service(self) -> int:
        """How many instances answer requests."""
        with self._routing:
            return sum(server.ready for server in self._servers)

    @property
    def role_arn(self) -> str:
        """The model's execution role."""
        return str(self._model["ExecutionRoleArn"])

    def credentials(self) -> Credentials:
        """A session of the model's role. Raises HostingError."""
        try:
            return self._hosting.engine.credentials(self.role_arn, "SageMaker", SERVICE, source=self._endpoint_arn)
        except AwsError as error:
            raise HostingError(str(error)) from error

    def client(self, service: str) -> Any:
        """A client of another service with the role's rights. Raises HostingError."""
        if service not in self._clients:
            self._clients[service] = self._hosting.engine.client(service, self.credentials())
        return self._clients[service]

    def publish_metrics(self) -> None:
        """Publish what the instances use, if the role may."""
        with self._routing:
            groups = [server.child.pid for server in self._servers if server.ready and server.child is not None]
        dimensions = [
            {"Name": "EndpointName", "Value": self._endpoint},
            {"Name": "VariantName", "Value": self.name},
        ]
        data = [{**each, "Dimensions": dimensions} for each in self._metrics.measure(groups)]
        if data:
            with contextlib.suppress(ClientError, BotoCoreError, HostingError):
                self.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)

    # -- requests

    def acquire(self) -> Server | None:
        """An instance for one request, or None if none is in service. `release` it."""
        with self._routing:
            ready = [server for server in self._servers if server.ready]
            if not ready:
                return None
            fewest = min(server.outstanding for server in ready)
            candidates = [each for each in ready if each.outstanding == fewest] if self._least_outstanding else ready
            server = random.choice(candidates)
            server.outstanding += 1
            return server

    def release(self, server: Server) -> None:
        """The request has been answered."""
        with self._routing:
            server.outstanding -= 1
            self._routing.notify_all()

    # -- life

    def start(self) -> None:
        """Fetch the artifact, pull the image, and start the instances. Raises HostingError."""
        if is_private(self.image, self._hosting.engine.account):
            pull(self.client("ecr"), self.image, self.role_arn)
        self._group.__enter__()
        self._started = True
        self._watch.start()
        uri = artifact.location(container_of(self._model))
        artifact.fetch(self.client("s3"), uri, self._folder / "model")
        self.resize(self.desired)

    def resize(self, count: int) -> None:
        """Start or end instances, and return when they are in service or have ended. Raises HostingError."""
        with self._resizing:
            self.desired = count
            with self._routing:
                added = [
                    Server(free_port(), invocation_timeout_s=self._hosting.invocation_timeout_s)
                    for _ in range(count - len(self._servers))
                ]
                removed = self._servers[count:]
                self._servers = self._servers[:count]
                for server in removed:
                    server.ready = False
            try:
                for server in added:
                    self._launch(server)
                self._wait_for(added)
            except HostingError:
                self._end(added)
                self.desired = len(self._servers)
                raise
            with self._routing:
                self._servers += added
            self._on_change()
            self._end(removed)

    def close(self) -> None:
        """End all instances, after the requests that they are answering."""
        self._closed.set()
        with self._resizing:
            with self._routing:
                removed, self._servers = self._servers, []
            self._end(removed)
        if self._started:
            self._watch.join()
            self._group.__exit__(None, None, None)
            shutil.rmtree(self._folder / "model", ignore_errors=True)

    def _launch(self, server: Server) -> None:
        """Start the container's process."""
        hosting, container = self._hosting, container_of(self._model)
        own = {str(name): str(value) for name, value in (container.get("Environment") or {}).items()}
        allowed = {} if self._model.get("EnableNetworkIsolation") else self._credential_variables()
        if server not in self._logs:
            group, stream = f"/aws/sagemaker/Endpoints/{self._endpoint}", f"{self.name}/{server.id}"
            self._logs[server] = ContainerLogs(self.client("logs"), group, stream)
        server.starts += 1
        try:
            server.child = self._group.start(
                f"{server.id}-{server.starts}",
                command(
                    hosting.images.find(self.image).serve,
                    python=hosting.python,
                    folder=hosting.images.folder,
                    model=self._folder / "model",
                    port=server.port,
                ),
                env=variables(own, port=server.port, region=hosting.engine.region, credentials=allowed),
                cwd=hosting.images.folder,
                on_line=self._logs[server].add,
            )
        except (ProcessFailedError, AwsError) as error:
            raise HostingError(str(error)) from error

    def _credential_variables(self) -> dict[str, str]:
        return {**self.credentials().variables(), "AWS_ENDPOINT_URL": self._hosting.engine.url}

    def _wait_for(self, servers: list[Server]) -> None:
        """Return when all answer /ping with 200. Raises HostingError."""
        declared = self._declared.get("ContainerStartupHealthCheckTimeoutInSeconds") or DEFAULT_HEALTH_CHECK_S
        limit = max(float(declared) / self._hosting.clock.speed, self._hosting.shortest_health_check_s)
        end = time.monotonic() + limit
        while waiting := [server for server in servers if not server.ready]:
            for server in waiting:
                if server.ended:
                    if server.starts == MOST_STARTS:
                        raise HostingError(self._not_healthy())
                    self._launch(server)
                server.ready = server.container.ping()
            if time.monotonic() > end or self._closed.is_set():
                raise HostingError(self._not_healthy())
            time.sleep(LOOK_S)

    def _not_healthy(self) -> str:
        return (
            f"The primary container for production variant {self.name} did not pass the ping health check. Please "
            "check CloudWatch logs for this endpoint."
        )

    def _end(self, servers: list[Server]) -> None:
        """End these instances once they have answered their requests."""
        last = time.monotonic() + DRAIN_S
        with self._routing:
            for server in servers:
                server.ready = False
                self._routing.wait_for(lambda server=server: not server.outstanding, last - time.monotonic())  # type: ignore[misc]
        children = [server.child for server in servers if server.child is not None]
        if children:
            self._group.end(*children)
        for server in servers:
            server.container.close()
            self._write_logs(server)
            self._logs.pop(server, None)

    def _keep(self) -> None:
        """Write the logs, and start a container that ended again, until the fleet is closed."""
        while not self._closed.wait(WRITE_LOGS_S):
            for server in list(self._logs):
                self._write_logs(server)
            with self._routing:
                ended = [server for server in self._servers if server.ready and server.ended]
                for server in ended:
                    server.ready = False
                starting = [server for server in self._servers if not server.ready]
            if ended:
                self._on_change()
            for server in starting:
                self._restart(server)

    def _restart(self, server: Server) -> None:
        try:
            if server.ended:
                self._launch(server)
        except HostingError:
            return  # the next look tries again
        if server.container.ping():
            with self._routing:
                server.ready = server in self._servers
            self._on_change()

    def _write_logs(self, server: Server) -> None:
        with self._writing:
            logs = self._logs.get(server)
            if logs is not None and server.child is not None:
                server.child.forward_lines()
                logs.write()


def container_of(model: Json) -> Json:
    """The definition of a model's one container."""
    if model.get("PrimaryContainer"):
        return dict(model["PrimaryContainer"])
    return dict(model["Containers"][0])
