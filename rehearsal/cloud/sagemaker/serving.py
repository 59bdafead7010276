"""Models, endpoint configs, endpoints and their runtime, put together."""

from rehearsal.aws.invocation import INVOCATION_TIMEOUT_S
from rehearsal.cloud.api import Engine, ResourceType
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.images import Images
from rehearsal.cloud.sagemaker.endpoint_configs import EndpointConfigs
from rehearsal.cloud.sagemaker.endpoints import Endpoints
from rehearsal.cloud.sagemaker.hosting import SHORTEST_HEALTH_CHECK_S, Hosting
from rehearsal.cloud.sagemaker.metrics import Metrics
from rehearsal.cloud.sagemaker.models import Models
from rehearsal.cloud.sagemaker.resource_types import resource_types
from rehearsal.cloud.sagemaker.runtime import Runtime
from rehearsal.cloud.sagemaker.tags import Tags
from rehearsal.cloud.sagemaker.usage import Usages


class Serving:
    """The serving half of SageMaker. parts, invoke: for the service. types: for CloudFormation."""

    def __init__(
        self,
        engine: Engine,
        images: Images,
        clock: Clock,
        tags: Tags,
        *,
        shortest_health_check_s: float = SHORTEST_HEALTH_CHECK_S,
        invocation_timeout_s: float = INVOCATION_TIMEOUT_S,
    ) -> None:
        hosting = Hosting(
            engine=engine,
            images=images,
            clock=clock,
            shortest_health_check_s=shortest_health_check_s,
            invocation_timeout_s=invocation_timeout_s,
        )
        self.usages = Usages(clock)
        self.models = Models(engine, images, tags)
        self.configs = EndpointConfigs(engine, self.models, tags)
        self.endpoints = Endpoints(hosting, self.models, self.configs, self.usages, tags)
        self.parts = (self.models, self.configs, self.endpoints)
        self.invoke = Runtime(engine, self.endpoints).invoke
        self._metrics = Metrics(engine, self.usages, clock)
        self.types: dict[str, ResourceType] = resource_types(self.models, self.configs, self.endpoints, tags)

    def publish_metrics(self) -> None:
        """Publish the metrics of the minutes that are complete."""
        self._metrics.publish(self.endpoints.names())
        self.endpoints.publish_metrics()
