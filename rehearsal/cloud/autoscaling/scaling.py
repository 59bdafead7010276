"""Application Auto Scaling, put together with SageMaker's endpoints."""

from rehearsal.cloud.api import AwsError, Engine, Json, ResourceType
from rehearsal.cloud.autoscaling.cloudformation import types
from rehearsal.cloud.autoscaling.policy_alarms import CloudWatchAlarms
from rehearsal.cloud.autoscaling.sagemaker_variants import SageMakerVariants
from rehearsal.cloud.autoscaling.scaler import Scaler
from rehearsal.cloud.autoscaling.service import ApplicationAutoScaling
from rehearsal.cloud.clock import Clock
from rehearsal.cloud.sagemaker.service import SageMaker
from rehearsal.cloud.sagemaker.serving import Serving


class Scaling:
    """The service, its types for CloudFormation, and its scaler, which looks at each minute."""

    def __init__(self, engine: Engine, clock: Clock, sagemaker: SageMaker, serving: Serving) -> None:
        self.scaler = Scaler(SageMakerVariants(sagemaker, serving.usages), clock, CloudWatchAlarms(engine))
        self.service = ApplicationAutoScaling(engine, self.scaler)
        self.types: dict[str, ResourceType] = types(self.service)
        serving.endpoints.before_delete.append(self.scaler.forget)
        serving.endpoints.before_update.append(self._check_update)

    def _check_update(self, endpoint: str, old: Json, new: Json) -> None:
        """SageMaker changes no instance type of a registered variant:
        https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
        """
        before = {each["VariantName"]: each.get("InstanceType") for each in old["ProductionVariants"]}
        for variant in new["ProductionVariants"]:
            name = variant["VariantName"]
            if name in self.scaler.registered(endpoint) and before.get(name) != variant.get("InstanceType"):
                raise AwsError(
                    "ValidationException",
                    f"The variant {name} of the endpoint {endpoint} is a target for automatic scaling, so its instance "
                    f"type {before.get(name)} cannot be changed to {variant.get('InstanceType')}. Deregister it first.",
                )
