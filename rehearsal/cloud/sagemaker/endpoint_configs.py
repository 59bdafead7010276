"""SageMaker endpoint configs: which models, on how many instances.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from rehearsal.cloud.api import AwsError, Engine, Json, Request
from rehearsal.cloud.json_service import Operation
from rehearsal.cloud.sagemaker.listing import page
from rehearsal.cloud.sagemaker.models import Models
from rehearsal.cloud.sagemaker.service import arn
from rehearsal.cloud.sagemaker.tags import Tags

NOT_REHEARSED = (
    "AsyncInferenceConfig",
    "CrossRegionTrafficConfig",
    "ExecutionRoleArn",
    "ExplainerConfig",
    "ShadowProductionVariants",
    "VpcConfig",
)
"""Of a config: each makes another kind of endpoint."""
NOT_REHEARSED_OF_A_VARIANT = ("InstancePools", "ManagedInstanceScaling", "ServerlessConfig")
ROUTING = ("LEAST_OUTSTANDING_REQUESTS", "RANDOM")


class EndpointConfigs:
    """The endpoint configs of the account. They never change."""

    def __init__(self, engine: Engine, models: Models, tags: Tags) -> None:
        self._engine = engine
        self._models = models
        self._tags = tags
        self._configs: dict[str, Json] = {}

    def operations(self) -> Mapping[str, Operation]:
        """See `Part`."""
        return {
            "CreateEndpointConfig": lambda parameters, _: {"EndpointConfigArn": self.create(parameters)},
            "DescribeEndpointConfig": lambda parameters, _: dict(self.get(parameters["EndpointConfigName"])),
            "ListEndpointConfigs": self._list,
            "DeleteEndpointConfig": self._delete,
        }

    def get(self, name: str) -> Json:
        """A config, as DescribeEndpointConfig returns it. Raises AwsError."""
        if name not in self._configs:
            raise AwsError(
                "ValidationException",
                f'Could not find endpoint configuration "{arn(self._engine, "endpoint-config", name)}".',
            )
        return self._configs[name]

    def create(self, parameters: Json) -> str:
        """Create a config. Returns its ARN. Raises AwsError."""
        name = str(parameters["EndpointConfigName"])
        config_arn = arn(self._engine, "endpoint-config", name)
        if name in self._configs:
            raise AwsError(
                "ValidationException", f'Cannot create already existing endpoint configuration "{config_arn}".'
            )
        for key in NOT_REHEARSED:
            if parameters.get(key):
                raise AwsError("ValidationException", f"{key} of an endpoint config is not rehearsed.")
        for variant in parameters["ProductionVariants"]:
            self._check(variant)
        self._tags.create(config_arn, parameters.get("Tags") or [])
        shown = {key: value for key, value in parameters.items() if key != "Tags"}
        self._configs[name] = {**shown, "EndpointConfigArn": config_arn, "CreationTime": datetime.now(UTC)}
        return config_arn

    def delete(self, name: str) -> None:
        """Delete a config. Raises AwsError."""
        self._tags.forget(self.get(name)["EndpointConfigArn"])
        self._configs.pop(name, None)

    def _check(self, variant: Json) -> None:
        self._models.get(str(variant.get("ModelName", "")))
        for key in NOT_REHEARSED_OF_A_VARIANT:
            if variant.get(key):
                raise AwsError("ValidationException", f"{key} of a production variant is not rehearsed.")
        if int(variant.get("InitialInstanceCount") or 0) < 1:
            raise AwsError("ValidationException", "InitialInstanceCount of a production variant is at least 1.")
        strategy = (variant.get("RoutingConfig") or {}).get("RoutingStrategy", "RANDOM")
        if strategy not in ROUTING:
            raise AwsError("ValidationException", f"RoutingStrategy {strategy} is not rehearsed: use one of {ROUTING}.")

    def _delete(self, parameters: Json, _: Request) -> Json:
        self.delete(parameters["EndpointConfigName"])
        return {}

    def _list(self, parameters: Json, _: Request) -> Json:
        keys = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        summaries = [{key: config[key] for key in keys} for config in list(self._configs.values())]
        return page(summaries, parameters, member="EndpointConfigs", name="EndpointConfigName")
