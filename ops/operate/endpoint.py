"""The endpoint as it runs, beside the configuration that its stack has deployed."""

from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from ops.operate.account import Account, asking, is_missing
from ops.operate.deployed import CONFIG, ENDPOINT, Deployed

BROKEN = ("Failed", "OutOfService", "UpdateRollbackFailed", "RollingBack")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """The instances of a variant."""

    name: str
    instance_type: str
    current: int
    desired: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """As SageMaker describes it."""

    name: str
    status: str
    reason: str
    """FailureReason: of a creation that failed, or of the last update, if that was rolled back."""
    config: str
    """The endpoint config that runs."""
    deployed_config: str
    """The endpoint config of the Serving stack; empty if the stack has none, or changes now."""
    pending_config: str
    """The endpoint config of an update in progress."""
    model_data: str
    """The artifact that is served."""
    changed: datetime
    variants: tuple[Variant, ...]

    @property
    def rolled_back(self) -> bool:
        """Whether the last update ended with the configuration of before."""
        return self.status == "InService" and bool(self.reason)

    @property
    def differs(self) -> bool:
        """Whether it serves another configuration than the stack's: a rollback that no deploy noticed, or a change
        outside the deploy."""
        return self.status == "InService" and bool(self.deployed_config) and self.config != self.deployed_config

    @property
    def problem(self) -> str:
        """What is wrong, as one sentence; empty if nothing is."""
        why = f" SageMaker's reason: {self.reason}" if self.reason else ""
        if self.status in BROKEN:
            return f"The endpoint {self.name} is {self.status}.{why}"
        if self.differs:
            return (
                f"The endpoint {self.name} serves the endpoint config {self.config}, not {self.deployed_config}, which "
                f"its stack has deployed: an update was rolled back, or made outside it, as by kennel rollback."
                f"{why}"
            )
        if self.rolled_back:
            return f"The last update of the endpoint {self.name} was rolled back; it serves the model of before.{why}"
        return ""

    @property
    def instances(self) -> int:
        return sum(variant.current for variant in self.variants)


def endpoint(deployed: Deployed) -> Endpoint | None:
    """The environment's endpoint; None if there is none. Raises AccountError."""
    account, name = deployed.account, deployed.endpoint_name
    sagemaker = account.client("sagemaker")
    with asking(f"the call that describes the endpoint {name}", needs=f"sagemaker:DescribeEndpoint on {name}"):
        try:
            found = sagemaker.describe_endpoint(EndpointName=name)
            status, changed = found["EndpointStatus"], found["LastModifiedTime"]
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    config = found.get("EndpointConfigName", "")
    types, model_data = _of_config(account, config)
    stack = deployed.stacks.get("serving")
    deployed_configs = [] if stack is None or stack.changes else deployed.resources("serving", CONFIG)
    return Endpoint(
        name=name,
        status=status,
        reason=" ".join(found.get("FailureReason", "").split()),
        config=config,
        deployed_config=deployed_configs[0].name if deployed_configs else "",
        pending_config=found.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
        model_data=model_data,
        changed=changed,
        variants=tuple(
            Variant(
                name=each["VariantName"],
                instance_type=types.get(each["VariantName"], ""),
                current=int(each.get("CurrentInstanceCount", 0)),
                desired=int(each.get("DesiredInstanceCount", 0)),
            )
            for each in found.get("ProductionVariants", [])
        ),
    )


def missing_endpoint(deployed: Deployed) -> str:
    """A sentence if the Serving stack has deployed an endpoint, for an endpoint that does not exist; else empty.

    Raises AccountError.
    """
    stack = deployed.stacks.get("serving")
    if stack is None or stack.changes or not deployed.resources("serving", ENDPOINT):
        return ""
    return (
        f"The endpoint {deployed.endpoint_name} does not exist, though {stack.name} has deployed it: it was deleted "
        "outside the deploy."
    )


def _of_config(account: Account, config: str) -> tuple[dict[str, str], str]:
    """The instance type of each variant, and the artifact of the first one. Empty for a config that is gone."""
    if not config:
        return {}, ""
    sagemaker = account.client("sagemaker")
    with asking(f"the call that describes the endpoint config {config}", needs="sagemaker:DescribeEndpointConfig"):
        try:
            variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        except ClientError as error:
            if is_missing(error):
                return {}, ""
            raise
    types = {each["VariantName"]: each.get("InstanceType", "") for each in variants}
    model = variants[0]["ModelName"]
    with asking(f"the call that describes the model {model}", needs="sagemaker:DescribeModel"):
        try:
            container = sagemaker.describe_model(ModelName=model).get("PrimaryContainer", {})
        except ClientError as error:
            if is_missing(error):
                return types, ""
            raise
    return types, container.get("ModelDataUrl", "")
