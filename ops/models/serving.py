"""What an environment's endpoint serves: its configuration, its models and their artifacts."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ops.data.aws_errors import explained
from ops.models.errors import ModelsError

NEEDS = "sagemaker:DescribeEndpoint, sagemaker:DescribeEndpointConfig and sagemaker:DescribeModel"


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """An endpoint, as SageMaker describes it."""

    endpoint: dict[str, Any]
    config: dict[str, Any]
    model: dict[str, Any]
    """The model of the first variant: Kennel's endpoint has one."""

    @property
    def name(self) -> str:
        return str(self.endpoint["EndpointName"])

    @property
    def status(self) -> str:
        return str(self.endpoint["EndpointStatus"])

    @property
    def artifact(self) -> str:
        """The S3 URI of the artifact."""
        return str(self.model.get("PrimaryContainer", {}).get("ModelDataUrl", ""))


def serving(sagemaker: Any, name: str) -> Serving | None:
    """The endpoint of this name, or None if there is none.

    Raises ModelsError for an endpoint with several variants, and BucketError if AWS refuses a call.
    """
    with explained(f"the calls that describe the endpoint {name}", needs=NEEDS):
        try:
            endpoint = sagemaker.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
                return None
            raise
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        if len(config["ProductionVariants"]) != 1:
            raise ModelsError(
                f"The endpoint {name} has {len(config['ProductionVariants'])} variants, and Kennel's has one. Deploy "
                "it again: make deploy STACKS=Serving"
            )
        model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    return Serving(endpoint=endpoint, config=config, model=model)
