"""SageMaker endpoints: the operations that create, change, show and delete them.

Sources: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html, API_UpdateEndpoint.html,
API_UpdateEndpointWeightsAndCapacities.html and API_DeleteEndpoint.html
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.cloud.api import AwsError, Json, Request
from rehearsal.cloud.json_service import Operation
from rehearsal.cloud.sagemaker.endpoint import Endpoint
from rehearsal.cloud.sagemaker.endpoint_configs import EndpointConfigs
from rehearsal.cloud.sagemaker.hosting import Hosting
from rehearsal.cloud.sagemaker.listing import page
from rehearsal.cloud.sagemaker.models import Models
from rehearsal.cloud.sagemaker.rollout import Rollout
from rehearsal.cloud.sagemaker.service import arn
from rehearsal.cloud.sagemaker.tags import Tags
from rehearsal.cloud.sagemaker.usage import Usages


class Endpoints:
    """The endpoints of the account. usages: what their variants were asked."""

    def __init__(self, hosting: Hosting, models: Models, configs: EndpointConfigs, usages: Usages, tags: Tags) -> None:
        self._hosting, self._models, self._configs = hosting, models, configs
        self._tags = tags
        self.usages = usages
        self._endpoints: dict[str, Endpoint] = {}
        self._lock = threading.Lock()
        self.before_delete: list[Callable[[str], None]] = []
        """Each is called with an endpoint's name, and raises AwsError if the endpoint may not be deleted."""
        self.before_update: list[Callable[[str, Json, Json], None]] = []
        """Each is called with an endpoint's name, its endpoint config and the new one, and raises AwsError if the
        endpoint may not be updated."""

    def operations(self) -> Mapping[str, Operation]:
        """See `Part`."""
        return {
            "CreateEndpoint": lambda parameters, _: {"EndpointArn": self.create(parameters).arn},
            "DescribeEndpoint": lambda parameters, _: self.get(parameters["EndpointName"]).description(),
            "ListEndpoints": self._list,
            "UpdateEndpoint": lambda parameters, _: {"EndpointArn": self.update(parameters).arn},
            "UpdateEndpointWeightsAndCapacities": lambda parameters, _: {"EndpointArn": self.resize(parameters).arn},
            "DeleteEndpoint": self._delete,
        }

    def find(self, name: str) -> Endpoint | None:
        """The endpoint of this name, which is not case-sensitive."""
        return self._endpoints.get(name.lower())

    def names(self) -> dict[str, str]:
        """The endpoints' names, by their names in lower case."""
        with self._lock:
            return {key: endpoint.name for key, endpoint in self._endpoints.items()}

    def publish_metrics(self) -> None:
        """Publish what the instances use."""
        with self._lock:
            endpoints = list(self._endpoints.values())
        for endpoint in endpoints:
            endpoint.publish_metrics()

    def get(self, name: str) -> Endpoint:
        """The endpoint of this name. Raises AwsError."""
        endpoint = self.find(name)
        if endpoint is None:
            raise AwsError("ValidationException", f'Could not find endpoint "{self._arn(name)}".')
        return endpoint

    def create(self, parameters: Json) -> Endpoint:
        """CreateEndpoint: returns at once, with the status Creating. Raises AwsError."""
        name = str(parameters["EndpointName"])
        config = self._configs.get(str(parameters["EndpointConfigName"]))
        endpoint = Endpoint(name, self._arn(name), hosting=self._hosting, models=self._models.get, usages=self.usages)
        fleet = endpoint.fleet(config, counts=False, weights=False)
        deployment = parameters.get("DeploymentConfig") or {}
        Rollout.read(deployment, _instances(config))
        with self._lock:
            if name.lower() in self._endpoints:
                raise AwsError("ValidationException", f'Cannot create already existing endpoint "{endpoint.arn}".')
            self._tags.create(endpoint.arn, parameters.get("Tags") or [])
            self._endpoints[name.lower()] = endpoint
        endpoint.deployment = deployment
        _in_thread(name, endpoint.create, config, fleet)
        return endpoint

    def update(self, parameters: Json) -> Endpoint:
        """UpdateEndpoint: returns at once, with the status Updating. Raises AwsError."""
        endpoint = self.get(str(parameters["EndpointName"]))
        config = self._configs.get(str(parameters["EndpointConfigName"]))
        for check in self.before_update:
            check(endpoint.name, endpoint.config, config)
        kept = parameters.get("RetainAllVariantProperties") is True
        excluded = {each["VariantPropertyType"] for each in parameters.get("ExcludeRetainedVariantProperties") or []}
        old = endpoint.current()
        green = endpoint.fleet(
            config,
            {variant.name: variant for variant in old.variants} if old and kept else {},
            counts="DesiredInstanceCount" not in excluded,
            weights="DesiredWeight" not in excluded,
        )
        if kept and "DataCaptureConfig" not in excluded:
            config = {**config, "DataCaptureConfig": endpoint.config.get("DataCaptureConfig")}
        reused = parameters.get("RetainDeploymentConfig") is True
        deployment = endpoint.deployment if reused else parameters.get("DeploymentConfig") or {}
        rollout = Rollout.read(deployment, sum(variant.desired for variant in green.variants))
        self._start_transition(endpoint)
        endpoint.deployment = deployment
        _in_thread(endpoint.name, endpoint.update, config, green, rollout)
        return endpoint

    def resize(self, parameters: Json) -> Endpoint:
        """UpdateEndpointWeightsAndCapacities: returns at once, with the status Updating. Raises AwsError."""
        endpoint = self.get(str(parameters["EndpointName"]))
        fleet = endpoint.current()
        desired = {str(each["VariantName"]): each for each in parameters["DesiredWeightsAndCapacities"]}
        for name, wanted in desired.items():
            if fleet is None or fleet.named(name) is None:
                raise AwsError("ValidationException", f"Variant {name} does not exist in endpoint {endpoint.arn}.")
            if int(wanted.get("DesiredInstanceCount", 1)) < 1:
                raise AwsError("ValidationException", "DesiredInstanceCount of a variant is at least 1.")
        self._start_transition(endpoint)
        _in_thread(endpoint.name, endpoint.resize, desired)
        return endpoint

    def delete(self, name: str) -> Endpoint:
        """DeleteEndpoint: returns at once, with the status Deleting. Raises AwsError."""
        endpoint = self.get(name)
        for check in self.before_delete:
            check(endpoint.name)
        self._start_transition(endpoint, "Deleting")
        _in_thread(endpoint.name, endpoint.delete, lambda: self._forget(endpoint))
        return endpoint

    def _forget(self, endpoint: Endpoint) -> None:
        with self._lock:
            self._endpoints.pop(endpoint.name.lower(), None)
        self.usages.forget(endpoint.name)
        self._tags.forget(endpoint.arn)

    def _start_transition(self, endpoint: Endpoint, status: str = "Updating") -> None:
        if endpoint.status == "Failed" and status != "Deleting":
            raise AwsError("ValidationException", f'Cannot update endpoint "{endpoint.arn}" with the status Failed.')
        if not endpoint.start_transition(status):
            raise AwsError("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')

    def _arn(self, name: str) -> str:
        return arn(self._hosting.engine, "endpoint", name)

    def _delete(self, parameters: Json, _: Request) -> Json:
        self.delete(parameters["EndpointName"])
        return {}

    def _list(self, parameters: Json, _: Request) -> Json:
        keys = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        shown = [endpoint.description() for endpoint in list(self._endpoints.values())]
        summaries = [{key: each[key] for key in keys} for each in shown]
        return page(summaries, parameters, member="Endpoints", name="EndpointName", status="EndpointStatus")


def _instances(config: Json) -> int:
    return sum(int(variant["InitialInstanceCount"]) for variant in config["ProductionVariants"])


def _in_thread(name: str, work: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, name=f"endpoint-{name}", daemon=True).start()
