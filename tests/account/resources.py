"""What the stand-in's CloudFormation does for each type of resource.

A few types exist in moto, where the rest of the test finds them. Every other type is a record: the stand-in keeps its
properties and answers nothing about it. Whether AWS would create it is what only AWS can say.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
NAMES = (
    "BucketName", "RepositoryName", "FunctionName", "EndpointName", "LogGroupName", "RoleName", "AlarmName",
    "DashboardName", "TopicName", "QueueName", "NotebookInstanceName", "Name",
)  # fmt: skip
"""Properties that give a resource its physical name."""


REPLACED = ("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig")
"""Types that exist in moto and cannot be changed: CloudFormation makes a new one, then deletes the old one."""


class RefusedError(Exception):
    """AWS refuses to create, change or delete a resource. The message is AWS's reason."""


@dataclass
class Resource:
    """A resource of a stack."""

    stack: str
    logical_id: str
    type: str
    properties: Json
    physical_id: str = ""
    status: str = "CREATE_IN_PROGRESS"
    keep: bool = False
    """DeletionPolicy Retain."""
    generation: int = 0
    """How often it was replaced."""


@dataclass
class Resources:
    """The resources of an account. session: a boto3.Session with any keys."""

    session: Any
    url: str
    account: str
    region: str
    refused_actions: dict[tuple[str, str], str] = field(default_factory=dict)
    """AWS's reason for refusing an action ("create", "update" or "delete") on a type."""
    hooks: dict[tuple[str, str], Callable[[], None]] = field(default_factory=dict)
    """Called before such an action."""
    recorded: list[tuple[str, str]] = field(default_factory=list)
    """Each action on a type that is only a record: AWS alone can say how it ends."""

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.url, region_name=self.region)

    def act(self, action: str, resource: Resource, properties: Json) -> None:
        """Create, change or delete a resource. Raises RefusedError."""
        key = (action, resource.type)
        if key in self.hooks:
            self.hooks[key]()
        if key in self.refused_actions:
            raise RefusedError(self.refused_actions[key])
        if action == "create":
            resource.physical_id = self._physical_id(resource)
        name = f"_{action}_{resource.type.replace('::', '_').removeprefix('AWS_').lower()}"
        handler = getattr(self, name, None)
        if handler:
            handler(resource, properties)
        else:
            self.recorded.append((action, resource.type))

    def _physical_id(self, resource: Resource) -> str:
        if resource.type == "AWS::CloudFormation::WaitConditionHandle":
            return f"https://cloudformation-waitcondition/{resource.stack}"
        for name in NAMES:
            if isinstance(resource.properties.get(name), str):
                return str(resource.properties[name])
        digest = hashlib.sha256(f"{resource.stack}/{resource.logical_id}/{resource.generation}".encode()).hexdigest()[
            :8
        ]
        if resource.type == "AWS::Lambda::Version":
            return f"{resource.properties['FunctionName']}:1"
        return f"{resource.stack}-{resource.logical_id[:24]}-{digest}".lower()

    def ref(self, resource: Resource) -> str:
        """What Ref returns: the physical id, or the ARN where CloudFormation's reference says so."""
        if resource.type in ("AWS::Lambda::Version", "AWS::SNS::Topic", "AWS::IAM::ManagedPolicy"):
            return self.attribute(resource, "Arn")
        if resource.type == "AWS::Lambda::Alias":
            function = resource.properties["FunctionName"].rsplit(":", 1)[-1]
            return f"arn:aws:lambda:{self.region}:{self.account}:function:{function}:{resource.physical_id}"
        if resource.type == "AWS::SQS::Queue":
            return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{resource.physical_id}"
        return resource.physical_id

    def attribute(self, resource: Resource, name: str) -> str:
        """An attribute as Fn::GetAtt returns it. Only ARNs and names are like AWS's."""
        if name == "Arn":
            match resource.type.split("::"):
                case [_, "S3", _]:
                    return f"arn:aws:s3:::{resource.physical_id}"
                case [_, "IAM", kind]:
                    return f"arn:aws:iam::{self.account}:{kind.lower()}/{resource.physical_id}"
                case [_, "Lambda", _]:
                    return f"arn:aws:lambda:{self.region}:{self.account}:function:{resource.physical_id}"
                case [_, service, kind]:
                    return (
                        f"arn:aws:{service.lower()}:{self.region}:{self.account}:{kind.lower()}/{resource.physical_id}"
                    )
        if name.endswith("Name"):
            return resource.physical_id
        if name == "Version":
            return "1"
        return f"{resource.logical_id}.{name}"

    # -- what exists in moto

    def _create_s3_bucket(self, resource: Resource, _: Json) -> None:
        self.client("s3").create_bucket(Bucket=resource.physical_id)

    def _delete_s3_bucket(self, resource: Resource, _: Json) -> None:
        try:
            self.client("s3").delete_bucket(Bucket=resource.physical_id)
        except self.client("s3").exceptions.ClientError as error:
            raise RefusedError(str(error)) from error

    def _delete_custom_s3autodeleteobjects(self, _: Resource, properties: Json) -> None:
        """CDK's function, which empties the bucket before it is deleted."""
        bucket = self.session.resource("s3", endpoint_url=self.url, region_name=self.region).Bucket(
            properties["BucketName"]
        )
        bucket.object_versions.all().delete()
        bucket.objects.all().delete()

    def _create_ssm_parameter(self, resource: Resource, properties: Json) -> None:
        self.client("ssm").put_parameter(
            Name=resource.physical_id, Value=properties["Value"], Type=properties["Type"], Overwrite=True
        )

    def _delete_ssm_parameter(self, resource: Resource, _: Json) -> None:
        self.client("ssm").delete_parameter(Name=resource.physical_id)

    def _create_ecr_repository(self, resource: Resource, _: Json) -> None:
        self.client("ecr").create_repository(repositoryName=resource.physical_id)

    def _delete_ecr_repository(self, resource: Resource, _: Json) -> None:
        self.client("ecr").delete_repository(repositoryName=resource.physical_id, force=True)

    def _create_logs_loggroup(self, resource: Resource, _: Json) -> None:
        self.client("logs").create_log_group(logGroupName=resource.physical_id)

    def _delete_logs_loggroup(self, resource: Resource, _: Json) -> None:
        self.client("logs").delete_log_group(logGroupName=resource.physical_id)

    def _create_iam_role(self, resource: Resource, properties: Json) -> None:
        document = json.dumps(properties["AssumeRolePolicyDocument"])
        self.client("iam").create_role(RoleName=resource.physical_id, AssumeRolePolicyDocument=document)

    def _delete_iam_role(self, resource: Resource, _: Json) -> None:
        self.client("iam").delete_role(RoleName=resource.physical_id)

    def _create_lambda_function(self, resource: Resource, properties: Json) -> None:
        code = properties["Code"]
        self.client("lambda").create_function(
            FunctionName=resource.physical_id,
            Runtime=properties["Runtime"],
            Role=properties["Role"],
            Handler=properties["Handler"],
            Code={"S3Bucket": code["S3Bucket"], "S3Key": code["S3Key"]} if "S3Bucket" in code else {"ZipFile": b"x"},
            Timeout=int(properties.get("Timeout", 3)),
            Environment=properties.get("Environment", {}),
        )

    def _delete_lambda_function(self, resource: Resource, _: Json) -> None:
        self.client("lambda").delete_function(FunctionName=resource.physical_id)

    def _create_sagemaker_model(self, resource: Resource, properties: Json) -> None:
        wanted = ("ExecutionRoleArn", "PrimaryContainer")
        chosen = {name: properties[name] for name in wanted}
        self.client("sagemaker").create_model(ModelName=resource.physical_id, **chosen)

    def _delete_sagemaker_model(self, resource: Resource, _: Json) -> None:
        self.client("sagemaker").delete_model(ModelName=resource.physical_id)

    def _create_sagemaker_endpointconfig(self, resource: Resource, properties: Json) -> None:
        variants = [
            {
                "VariantName": each["VariantName"],
                "ModelName": each["ModelName"],
                "InstanceType": each["InstanceType"],
                "InitialInstanceCount": int(each["InitialInstanceCount"]),
                "InitialVariantWeight": float(each["InitialVariantWeight"]),
            }
            for each in properties["ProductionVariants"]
        ]
        self.client("sagemaker").create_endpoint_config(
            EndpointConfigName=resource.physical_id, ProductionVariants=variants
        )

    def _delete_sagemaker_endpointconfig(self, resource: Resource, _: Json) -> None:
        self.client("sagemaker").delete_endpoint_config(EndpointConfigName=resource.physical_id)

    def _create_sagemaker_endpoint(self, resource: Resource, properties: Json) -> None:
        self.client("sagemaker").create_endpoint(
            EndpointName=resource.physical_id, EndpointConfigName=properties["EndpointConfigName"]
        )

    def _update_sagemaker_endpoint(self, resource: Resource, properties: Json) -> None:
        """moto has no UpdateEndpoint."""
        self._delete_sagemaker_endpoint(resource, properties)
        self._create_sagemaker_endpoint(resource, properties)

    def _delete_sagemaker_endpoint(self, resource: Resource, _: Json) -> None:
        with contextlib.suppress(self.client("sagemaker").exceptions.ClientError):
            self.client("sagemaker").delete_endpoint(EndpointName=resource.physical_id)
