"""The instances of one variant under one endpoint config: how many there are, and which one answers a request.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html
"""

import contextlib
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.api import Json
from rehearsal.cloud.sagemaker.containers import Containers, container_of
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.hosting import Hosting
from rehearsal.cloud.sagemaker.instance_metrics import NAMESPACE, InstanceMetrics
from rehearsal.cloud.sagemaker.model_role import ModelRole
from rehearsal.cloud.sagemaker.server import Server
from rehearsal.cloud.sagemaker.service import arn

logger = logging.getLogger(__name__)

WRITE_LOGS_S = 0.5
DRAIN_S = 65.0
"""A little more than the longest invocation."""


class VariantFleet:
    """The instances of a variant. declared: the variant as the endpoint config has it. model: as CreateModel got it."""

    def __init__(
        self, hosting: Hosting, endpoint: str, declared: Json, model: Json, *, on_change: Callable[[], None]
    ) -> None:
        self._endpoint = endpoint
        self._on_change = on_change
        self.name = str(declared["VariantName"])
        self.weight = float(declared.get("InitialVariantWeight", 1.0))
        self.desired_weight = self.weight
        self.desired = int(declared["InitialInstanceCount"])
        self.image = str(container_of(model)["Image"])
        self.resolved_at = datetime.now(UTC)
        routing = declared.get("RoutingConfig") or {}
        self._least_outstanding = routing.get("RoutingStrategy") == "LEAST_OUTSTANDING_REQUESTS"
        self.role = ModelRole(
            hosting.engine, str(model["ExecutionRoleArn"]), source=arn(hosting.engine, "endpoint", endpoint)
        )
        folder = hosting.engine.folder / "endpoints" / endpoint.lower() / f"{self.name}-{secrets.token_hex(4)}"
        self._containers = Containers(hosting, self.role, folder, endpoint=endpoint, declared=declared, model=model)
        self._metrics = InstanceMetrics(hosting.engine.folder)
        self._servers: list[Server] = []
        self._routing = threading.Condition()
        self._resizing = threading.Lock()
        self._closed = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"fleet-{endpoint}", daemon=True)

    @property
    def in_service(self) -> int:
        """How many instances answer requests."""
        with self._routing:
            return sum(server.ready for server in self._servers)

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

    # -- instances

    def start(self) -> None:
        """Fetch what the containers need, and start the instances. Raises HostingError."""
        self._containers.prepare()
        self._keeper.start()
        self.resize(self.desired)

    def resize(self, count: int) -> None:
        """Start or end instances, and return when they are in service or have ended. Raises HostingError."""
        with self._resizing:
            self.desired = count
            with self._routing:
                added = [Server() for _ in range(count - len(self._servers))]
                removed = self._servers[count:]
                self._servers = self._servers[:count]
            try:
                for server in added:
                    self._containers.launch(server)
                self._containers.wait_for(added, self._closed)
            except BaseException:
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
        if self._keeper.ident is not None:
            self._keeper.join()
        self._containers.close()

    def _end(self, servers: list[Server]) -> None:
        last = time.monotonic() + DRAIN_S
        with self._routing:
            while any(server.outstanding for server in servers) and (left := last - time.monotonic()) > 0:
                self._routing.wait(left)
        self._containers.end(servers)

    def _keep(self) -> None:
        """Write the logs, and start a container that ended again, until the fleet is closed."""
        while not self._closed.wait(WRITE_LOGS_S):
            try:
                self._look()
            except Exception:  # the next look tries again
                logger.exception("the instances of %s", self.name)

    def _look(self) -> None:
        self._containers.write_logs()
        with self._routing:
            ended = [server for server in self._servers if server.ready and server.ended]
            for server in ended:
                server.ready = False
            starting = [server for server in self._servers if not server.ready]
        if ended:
            self._on_change()
        for server in starting:
            with contextlib.suppress(HostingError, ClientError, BotoCoreError):  # the next look tries again
                self._restart(server)

    def _restart(self, server: Server) -> None:
        if server.ended:
            self._containers.launch(server)
        elif server.answers_ping():
            with self._routing:
                server.ready = server in self._servers
            self._on_change()

    # -- metrics

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
                self.role.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)
