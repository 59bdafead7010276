"""The containers of a model: image and artifact are fetched, processes started, pinged, logged and ended.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import shutil
import threading
import time
from pathlib import Path

from rehearsal.cloud.api import AwsError, Json
from rehearsal.cloud.images import filled
from rehearsal.cloud.sagemaker import artifact
from rehearsal.cloud.sagemaker.container_logs import ContainerLogs
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.hosting import Hosting
from rehearsal.cloud.sagemaker.model_role import ModelRole
from rehearsal.cloud.sagemaker.pull import check_pull, is_private, pull
from rehearsal.cloud.sagemaker.role_rights import check_vpc
from rehearsal.cloud.sagemaker.server import Server, variables
from rehearsal.processes import ProcessFailedError, ProcessGroup, free_port

DEFAULT_HEALTH_CHECK_S = 480
"""SageMaker gives a container eight minutes to pass the health check, unless the variant sets another limit."""
MOST_STARTS = 3
"""A container that ends is started again. SageMaker does so until the health check's limit; here it ends sooner."""
LOOK_S = 0.05
GRACE_S = 5.0
"""Between SIGTERM and SIGKILL. SageMaker waits 30 s."""


class Containers:
    """Of one model, for one variant of an endpoint. declared: the variant as the endpoint config has it."""

    def __init__(
        self, hosting: Hosting, role: ModelRole, folder: Path, *, endpoint: str, declared: Json, model: Json
    ) -> None:
        self._hosting, self._role, self._folder = hosting, role, folder
        self._endpoint, self._variant = endpoint, str(declared["VariantName"])
        self._limit_s = float(declared.get("ContainerStartupHealthCheckTimeoutInSeconds") or DEFAULT_HEALTH_CHECK_S)
        self._model, self._definition = model, container_of(model)
        self._group = ProcessGroup(folder, grace_s=GRACE_S)
        self._prepared = False
        self._logs: dict[Server, ContainerLogs] = {}
        self._writing = threading.Lock()

    def prepare(self) -> None:
        """Pull the image and fetch the artifact. Raises HostingError."""
        image, engine = str(self._definition["Image"]), self._hosting.engine
        try:
            check_vpc(engine, self._role.credentials(), self._model.get("VpcConfig") or {})
            if is_private(image, engine.account):
                pull(self._role.client("ecr"), image, self._role.arn)
            else:
                check_pull(engine, self._role.credentials(), self._role.arn, image)
        except AwsError as error:
            raise HostingError(str(error)) from error
        self._group.__enter__()
        self._prepared = True
        artifact.fetch(self._role.client("s3"), artifact.location(self._definition), self._folder / "model")

    def launch(self, server: Server) -> None:
        """Start a container's process for this instance, again if it has ended. Raises HostingError."""
        if server.child is not None:
            self._write(server)
            self._group.end(server.child)  # it has ended, and its number may become another process's
        if server not in self._logs:
            group, stream = f"/aws/sagemaker/Endpoints/{self._endpoint}", f"{self._variant}/{server.id}"
            self._logs[server] = ContainerLogs(self._role.client("logs"), group, stream)
        images, port = self._hosting.images, free_port()
        try:
            serve = filled(
                images.find(str(self._definition["Image"])).serve,
                python=self._hosting.python,
                folder=str(images.folder),
                model=str(self._folder / "model"),
                port=str(port),
            )
            child = self._group.start(
                f"{server.id}-{server.starts + 1}",
                serve,
                env=self._variables(port),
                cwd=images.folder,
                on_line=self._logs[server].add,
            )
        except (ProcessFailedError, AwsError) as error:
            raise HostingError(str(error)) from error
        server.started(child, port, timeout_s=self._hosting.invocation_timeout_s)

    def _variables(self, port: int) -> dict[str, str]:
        engine = self._hosting.engine
        own = {str(name): str(value) for name, value in (self._definition.get("Environment") or {}).items()}
        isolated = self._model.get("EnableNetworkIsolation")
        found = {} if isolated else {**self._role.credentials().variables(), "AWS_ENDPOINT_URL": engine.url}
        return variables(own, port=port, region=engine.region, credentials=found)

    def wait_for(self, servers: list[Server], given_up: threading.Event) -> None:
        """Return when all answer /ping with 200. Raises HostingError."""
        limit = max(self._limit_s / self._hosting.clock.speed, self._hosting.shortest_health_check_s)
        end = time.monotonic() + limit
        while waiting := [server for server in servers if not server.ready]:
            for server in waiting:
                if server.ended:
                    if server.starts == MOST_STARTS:
                        raise HostingError(self._not_healthy())
                    self.launch(server)
                server.ready = server.answers_ping()
            if time.monotonic() > end or given_up.is_set():
                raise HostingError(self._not_healthy())
            time.sleep(LOOK_S)

    def _not_healthy(self) -> str:
        return (
            f"The primary container for production variant {self._variant} did not pass the ping health check. Please "
            "check CloudWatch logs for this endpoint."
        )

    def end(self, servers: list[Server]) -> None:
        """End the containers of these instances."""
        children = [server.child for server in servers if server.child is not None]
        if children:
            self._group.end(*children)
        for server in servers:
            server.close()
            self._write(server)
            self._logs.pop(server, None)

    def write_logs(self) -> None:
        """Write what the containers have printed."""
        for server in list(self._logs):
            self._write(server)

    def _write(self, server: Server) -> None:
        with self._writing:
            logs = self._logs.get(server)
            if logs is not None and server.child is not None:
                server.child.forward_lines(ended=server.ended)
                logs.write()

    def close(self) -> None:
        """End every process, and delete the artifact."""
        if self._prepared:
            self._group.__exit__(None, None, None)
            shutil.rmtree(self._folder / "model", ignore_errors=True)


def container_of(model: Json) -> Json:
    """The definition of a model's one container."""
    if model.get("PrimaryContainer"):
        return dict(model["PrimaryContainer"])
    return dict(model["Containers"][0])
