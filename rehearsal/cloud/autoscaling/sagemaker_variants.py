"""The variants as SageMaker's own operations show and change them, and their calls as the fleets count them."""

from rehearsal.cloud.api import AwsError, Json, Request
from rehearsal.cloud.autoscaling.alarm import Points
from rehearsal.cloud.autoscaling.variants import Instances, Variant
from rehearsal.cloud.sagemaker.service import SageMaker
from rehearsal.cloud.sagemaker.usage import Usages


class SageMakerVariants:
    """See `Variants`."""

    def __init__(self, sagemaker: SageMaker, usages: Usages) -> None:
        self._sagemaker = sagemaker
        self._usages = usages

    def instances(self, variant: Variant) -> Instances | None:
        """See `Variants`."""
        try:
            endpoint = self._call("DescribeEndpoint", EndpointName=variant.endpoint)
        except AwsError:
            return None
        for each in endpoint.get("ProductionVariants", []):  # none while the endpoint is being created
            if each["VariantName"] == variant.name:
                in_service = endpoint["EndpointStatus"] == "InService"
                return Instances(each["DesiredInstanceCount"], each["CurrentInstanceCount"], in_service)
        return None

    def set_instances(self, variant: Variant, desired: int) -> None:
        """See `Variants`."""
        change = {"VariantName": variant.name, "DesiredInstanceCount": desired}
        self._call(
            "UpdateEndpointWeightsAndCapacities",
            EndpointName=variant.endpoint,
            DesiredWeightsAndCapacities=[change],
        )

    def minutes(self, variant: Variant, count: int) -> Points:
        """See `Variants`."""
        usage = self._usages.of(variant.endpoint, variant.name)
        return [minute.invocations_per_instance for minute in usage.minutes(count)]

    def _call(self, operation: str, **parameters: object) -> Json:
        return self._sagemaker.operations[operation](parameters, Request("POST", "/", {}, b""))
