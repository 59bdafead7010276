"""SageMaker models: a role, an image and an artifact under a name.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModel.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from rehearsal.cloud.api import AwsError, Engine, Json, Request
from rehearsal.cloud.images import Images
from rehearsal.cloud.json_service import Operation
from rehearsal.cloud.sagemaker import artifact
from rehearsal.cloud.sagemaker.containers import container_of
from rehearsal.cloud.sagemaker.listing import page
from rehearsal.cloud.sagemaker.service import PRINCIPAL, SESSION, arn
from rehearsal.cloud.sagemaker.tags import Tags


class Models:
    """The models of the account."""

    def __init__(self, engine: Engine, images: Images, tags: Tags) -> None:
        self._engine = engine
        self._images = images
        self._tags = tags
        self._models: dict[str, Json] = {}

    def operations(self) -> Mapping[str, Operation]:
        """See `Part`."""
        return {
            "CreateModel": self._create,
            "DescribeModel": lambda parameters, _: dict(self.get(parameters["ModelName"])),
            "ListModels": self._list,
            "DeleteModel": self._delete,
        }

    def get(self, name: str) -> Json:
        """A model, as DescribeModel returns it. Raises AwsError."""
        if name not in self._models:
            raise AwsError("ValidationException", f'Could not find model "{arn(self._engine, "model", name)}".')
        return self._models[name]

    def create(self, parameters: Json) -> str:
        """Create a model for CloudFormation. Returns its ARN. Raises AwsError."""
        name = str(parameters["ModelName"])
        model_arn = arn(self._engine, "model", name)
        if name in self._models:
            raise AwsError("ValidationException", f'Cannot create already existing model "{model_arn}".')
        self._check(parameters, model_arn)
        self._tags.create(model_arn, parameters.get("Tags") or [])
        shown = {key: value for key, value in parameters.items() if key != "Tags"}
        self._models[name] = {
            "EnableNetworkIsolation": False,
            **shown,
            "ModelArn": model_arn,
            "CreationTime": datetime.now(UTC),
        }
        return model_arn

    def delete(self, name: str) -> None:
        """Delete a model. Raises AwsError."""
        self._tags.forget(self.get(name)["ModelArn"])
        self._models.pop(name, None)

    def _check(self, parameters: Json, model_arn: str) -> None:
        containers = parameters.get("Containers") or []
        if bool(parameters.get("PrimaryContainer")) == bool(containers):
            raise AwsError("ValidationException", "Specify either PrimaryContainer or Containers.")
        if len(containers) > 1:
            raise AwsError("ValidationException", "A model with more than one container is not rehearsed.")
        container, role_arn = container_of(parameters), str(parameters.get("ExecutionRoleArn") or "")
        if not role_arn:
            raise AwsError("ValidationException", "ExecutionRoleArn is missing.")
        if container.get("Mode", "SingleModel") != "SingleModel":
            raise AwsError("ValidationException", "A container for several models is not rehearsed.")
        role = self._engine.credentials(role_arn, SESSION, PRINCIPAL, source=model_arn)
        if not self._images.find(str(container.get("Image", ""))).serve:
            raise AwsError("ValidationException", f"The image {container['Image']} has no serve command.")
        if uri := artifact.location(container):
            artifact.check_readable(self._engine.client("s3", role), uri, role_arn, self._engine.region)

    def _create(self, parameters: Json, request: Request) -> Json:
        self._engine.check_pass_role(request, str(parameters.get("ExecutionRoleArn", "")), PRINCIPAL)
        return {"ModelArn": self.create(parameters)}

    def _delete(self, parameters: Json, _: Request) -> Json:
        self.delete(parameters["ModelName"])
        return {}

    def _list(self, parameters: Json, _: Request) -> Json:
        summaries = [
            {key: model[key] for key in ("ModelName", "ModelArn", "CreationTime")}
            for model in list(self._models.values())
        ]
        return page(summaries, parameters, member="Models", name="ModelName")
