"""A model's execution role, with which SageMaker reads the artifact, pulls the image and writes logs and metrics."""

import time
from collections.abc import Callable
from typing import Any

from rehearsal.cloud.api import AwsError, Credentials, Engine
from rehearsal.cloud.renewed_clients import RenewedClients
from rehearsal.cloud.sagemaker.failure import HostingError
from rehearsal.cloud.sagemaker.service import PRINCIPAL, SESSION


class ModelRole:
    """source: the ARN of the endpoint for which SageMaker assumes the role. now: in seconds."""

    def __init__(self, engine: Engine, arn: str, *, source: str, now: Callable[[], float] = time.monotonic) -> None:
        self.arn = arn
        self._engine = engine
        self._source = source
        self._clients = RenewedClients(lambda service: engine.client(service, self.credentials()), now)

    def credentials(self) -> Credentials:
        """A session of the role. Raises HostingError."""
        try:
            return self._engine.credentials(self.arn, SESSION, PRINCIPAL, source=self._source)
        except AwsError as error:
            raise HostingError(str(error)) from error

    def client(self, service: str) -> Any:
        """A client of another service with the role's rights. Raises HostingError."""
        return self._clients.get(service)
