"""A model's execution role, with which SageMaker reads the artifact, pulls the image and writes logs and metrics."""

from typing import Any

from rehearsal.cloud.api import AwsError, Credentials, Engine
from rehearsal.cloud.sagemaker.failure import HostingError

SERVICE = "sagemaker.amazonaws.com"


class ModelRole:
    """source: the ARN of the endpoint for which SageMaker assumes the role."""

    def __init__(self, engine: Engine, arn: str, *, source: str) -> None:
        self.arn = arn
        self._engine = engine
        self._source = source
        self._clients: dict[str, Any] = {}

    def credentials(self) -> Credentials:
        """A session of the role. Raises HostingError."""
        try:
            return self._engine.credentials(self.arn, "SageMaker", SERVICE, source=self._source)
        except AwsError as error:
            raise HostingError(str(error)) from error

    def client(self, service: str) -> Any:
        """A client of another service with the role's rights. Raises HostingError."""
        if service not in self._clients:
            self._clients[service] = self._engine.client(service, self.credentials())
        return self._clients[service]
