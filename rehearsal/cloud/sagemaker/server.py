"""One instance of a variant: the container's process, its environment and its address."""

import secrets
import tempfile
from collections.abc import Iterable, Mapping

from rehearsal.aws.invocation import Answer, Container
from rehearsal.cloud.environment import kept
from rehearsal.processes import Child


class Server:
    """An instance. `outstanding`: the requests that it is answering; the fleet counts them."""

    def __init__(self) -> None:
        self.id = f"i-{secrets.token_hex(9)[:17]}"
        self.container: Container | None = None
        self.child: Child | None = None
        self.starts = 0
        self.ready = False
        self.outstanding = 0

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self.child is None or self.child.exit_code() is not None

    def started(self, child: Child, port: int, *, timeout_s: float) -> None:
        """It has a new process, which will listen on this port."""
        self.close()
        self.child, self.container = child, Container(f"http://127.0.0.1:{port}", timeout_s=timeout_s)
        self.starts += 1

    def answers_ping(self) -> bool:
        """Whether /ping is answered with 200."""
        return self.container is not None and self.container.ping()

    def invoke(self, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
        """See `Container`."""
        if self.container is None:
            raise ConnectionError(f"{self.id} has no container")
        return self.container.invoke(headers, body)

    def close(self) -> None:
        """Close the connections to its container."""
        if self.container is not None:
            self.container.close()


def variables(own: Mapping[str, str], *, port: int, region: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """A container's environment: what the model declares, what SageMaker adds, and nothing else of this process.

    credentials: of the model's role, for a model without network isolation.
    """
    return {
        **kept(),
        "TMPDIR": tempfile.gettempdir(),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_BIND_TO_PORT": str(port),
        **own,
        **credentials,
    }
