"""The training job as a custom resource: CloudFormation waits for it, gets its artifact's URI, and can stop it."""

from collections.abc import Mapping
from typing import cast

from aws_cdk import Aws, CustomResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as cr
from constructs import Construct

from contract.training_metrics import METRIC_DEFINITIONS
from stacks.common.function import PythonFunction, function_role
from stacks.common.iam import allow, pass_role
from stacks.common.log_group import OwnedLogGroup
from stacks.common.nag import acknowledge, wildcard
from stacks.common.telemetry import FunctionTelemetry
from stacks.common.trust import for_this_account, narrow_trust
from stacks.settings import TrainingSettings
from stacks.storage.bucket_access import BucketAccess
from stacks.training.handler_package import package
from stacks.training.photos import Photos
from stacks.training.registry import ModelRegistry

SAGEMAKER = "sagemaker.amazonaws.com"


class TrainingJob(Construct):
    """One SageMaker training job, run by `cdk deploy`.

    A change of any input that determines the result starts a new job; unchanged inputs reuse the finished job. Deleting
    the resource stops a running job and waits for its end; finished jobs and their artifacts stay.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name_prefix: str,
        tags: Mapping[str, str],
        image_uri: str,
        hyperparameters: Mapping[str, str],
        environment: Mapping[str, str],
        storage: BucketAccess,
        photos: Photos,
        telemetry: FunctionTelemetry,
        role: iam.Role,
        registry: ModelRegistry,
        endpoint_name: str,
        settings: TrainingSettings,
    ) -> None:
        super().__init__(scope, id)
        self._telemetry = telemetry
        provider = self._provider(name_prefix, storage, photos, role, registry, endpoint_name, settings)
        job = CustomResource(
            self,
            "Job",
            resource_type="Custom::TrainingJob",
            service_token=provider.service_token,
            properties={
                "NamePrefix": name_prefix,
                "Tags": dict(tags),
                "Image": image_uri,
                "InstanceType": settings.instance_type,
                "InstanceCount": str(settings.instance_count),
                "HyperParameters": dict(hyperparameters),
                "Pretrained": settings.weights_uri,
                "Bucket": storage.bucket.bucket_name,
                **({"DataBucket": photos.bucket} if photos.bucket else {}),
                "DataPrefix": photos.prefix,
                "ArtifactPrefix": storage.settings.artifact_prefix,
                **({"KmsKey": storage.key_arn} if storage.key_arn else {}),
                **({"Environment": dict(environment)} if environment else {}),
                **_vpc(settings),
                "RoleArn": role.role_arn,
                "VolumeGiB": str(settings.volume_gib),
                "MaxRuntimeSeconds": str(settings.max_runtime_min * 60),
                "MaxWaitSeconds": str(settings.spot_max_wait_min * 60 if settings.spot else 0),
                "DeployWaitSeconds": str(settings.WAIT_CEILING_MIN * 60),
                "StartupSeconds": str(settings.STARTUP_MIN * 60),
                "FallbackInstanceTypes": ",".join(settings.fallback_instance_types),
                "Metrics": METRIC_DEFINITIONS,
                # A new value makes CloudFormation call the handler. If empty, the handler lists the photos itself.
                "DataVersion": settings.data_version,
                "ModelGroup": registry.name,
                "EndpointName": endpoint_name,
                "LeastAccuracy": str(settings.least_accuracy),
                "AccuracyTolerance": str(settings.accuracy_tolerance),
            },
        )
        # The role's policy too: otherwise the job could start before it may read its data. The rights of the functions
        # are older than the functions, to which the service token refers.
        job.node.add_dependency(role, registry)
        self.model_data = job.get_att_string("ModelData")
        self.report = job.get_att_string("Report")
        self.model_version = job.get_att_string("ModelVersion")
        self.job_name = job.get_att_string("JobName")
        self.test_accuracy = job.get_att_string("TestAccuracy")
        self.trained_on = job.get_att_string("InstanceType")

    def _provider(
        self,
        name_prefix: str,
        storage: BucketAccess,
        photos: Photos,
        job_role: iam.Role,
        registry: ModelRegistry,
        endpoint_name: str,
        settings: TrainingSettings,
    ) -> cr.Provider:
        log_group = OwnedLogGroup(self, "Logs", retention_days=30)
        role = self._role(name_prefix, storage, photos, job_role, log_group, registry, endpoint_name, settings)
        on_event = self._function("on_event", "Starts, adopts or names Kennel's training job", role, log_group)
        is_complete = self._function("is_complete", "Watches or stops Kennel's training job", role, log_group)
        frameworks = {
            name: function_role(self, f"{name}Role", log_group=log_group, rights=[_invoke(function)])
            for name, function in {"Start": on_event, "Poll": is_complete}.items()
        }
        provider = cr.Provider(
            self,
            "Provider",
            on_event_handler=on_event,
            is_complete_handler=is_complete,
            query_interval=Duration.seconds(settings.poll_interval_s),
            total_timeout=Duration.minutes(settings.WAIT_CEILING_MIN),
            log_group=log_group,
            disable_waiter_state_machine_logging=True,
            # without updates: the framework would add a right on every version of both functions
            framework_on_event_role=frameworks["Start"].without_policy_updates(),
            framework_complete_and_timeout_role=frameworks["Poll"].without_policy_updates(),
        )
        self._wire(provider, frameworks["Start"], frameworks["Poll"])
        return provider

    def _role(
        self,
        name_prefix: str,
        storage: BucketAccess,
        photos: Photos,
        job_role: iam.Role,
        log_group: OwnedLogGroup,
        registry: ModelRegistry,
        endpoint_name: str,
        settings: TrainingSettings,
    ) -> iam.Role:
        """The role of the two handlers. The framework's functions, which only call them, have roles of their own."""
        on = _sagemaker(f"training-job/{name_prefix}-*")
        listed = {photos.bucket_arn: [f"{photos.prefix}*"]}
        listed.setdefault(storage.arn, []).append(f"{storage.settings.artifact_prefix}*")
        role = function_role(
            self,
            "Role",
            log_group=log_group,
            rights=[
                allow(
                    "sagemaker:AddTags",
                    "sagemaker:CreateTrainingJob",
                    "sagemaker:DescribeTrainingJob",
                    "sagemaker:StopTrainingJob",
                    on=on,
                ),
                allow("sagemaker:ListTrainingJobs", on="*"),  # IAM defines no resource type for it
                pass_role(job_role, SAGEMAKER),
                registry.registering,
                *_read_serving_model(endpoint_name),
                # to see whether the hosts may reach each other; IAM defines no resource type for it
                *([allow("ec2:DescribeSecurityGroups", on="*")] if _hosts_meet_in_a_vpc(settings) else []),
                *(
                    allow("s3:ListBucket", on=bucket, conditions={"StringLike": {"s3:prefix": prefixes}})
                    for bucket, prefixes in listed.items()
                ),
            ],
        )
        acknowledge(
            role,
            "A job's name ends in a hash of its inputs. IAM defines no resource type for lists of jobs.",
            wildcard(on, within=role),
            wildcard("*", within=role),
        )
        acknowledge(
            role,
            "CloudFormation names the model and the configuration of the endpoint, with which a new model is compared.",
            *(wildcard(arn, within=role) for arn in _serving_names()),
        )
        registry.acknowledge(role)
        return role

    def _function(self, name: str, description: str, role: iam.Role, log_group: OwnedLogGroup) -> PythonFunction:
        return PythonFunction(
            self,
            name.title().replace("_", ""),
            description=description,
            code=package(),
            handler=f"stacks.training.handler.events.{name}",
            log_group=log_group,
            role=role,
            telemetry=self._telemetry,
            timeout_s=840,  # it lists the photos twice, and waits up to two minutes for a new role to propagate
        )

    def _wire(self, provider: cr.Provider, start: iam.Role, poll: iam.Role) -> None:
        """Give the framework's functions memory, tracing and dead letters, and its state machine their rights only."""
        framework = [
            cast(lambda_.Function, provider.node.find_child(f"framework-{name}"))
            for name in ("onEvent", "isComplete", "onTimeout")
        ]
        for function, role in zip(framework, (start, poll, poll), strict=True):
            self._telemetry.attach(function, role)
        waiter = cast(cr.WaiterStateMachine, provider.node.find_child("waiter-state-machine"))
        start.add_to_policy(allow("states:StartExecution", on=waiter.state_machine_arn))
        waiter_role = waiter.node.find_child("Role")
        narrow_trust(waiter_role, for_this_account("states.amazonaws.com", source="states:stateMachine:*"))
        waiter_policy = waiter_role.node.find_child("DefaultPolicy").node.default_child
        cast(iam.CfnPolicy, waiter_policy).policy_document = iam.PolicyDocument(
            statements=[
                allow(
                    "lambda:InvokeFunction",
                    on=[function.function_arn for function in framework[1:]],
                )
            ]
        )
        acknowledge(
            cast(Construct, waiter.node.find_child("Resource")),
            "The state machine of CDK's provider framework. Its history contains the presigned response URL, so it is "
            "kept out of logs and traces; the functions that it calls log and trace.",
            "SF1",
            "SF2",
            "Serverless-StepFunctionStateMachineXray",
        )


def _vpc(settings: TrainingSettings) -> dict[str, list[str]]:
    """The properties of a job in a VPC; none for a job in SageMaker's own network."""
    if not settings.subnets:
        return {}
    return {"Subnets": list(settings.subnets), "SecurityGroups": list(settings.security_groups)}


def _read_serving_model(endpoint_name: str) -> list[iam.PolicyStatement]:
    """To find the artifact that the endpoint serves, of whatever name its configuration and its model are."""
    config, model = _serving_names()
    return [
        allow("sagemaker:DescribeEndpoint", on=_sagemaker(f"endpoint/{endpoint_name}")),
        allow("sagemaker:DescribeEndpointConfig", on=config),
        allow("sagemaker:DescribeModel", on=model),
    ]


def _serving_names() -> tuple[str, str]:
    return _sagemaker("endpoint-config/*"), _sagemaker("model/*")


def _sagemaker(resource: str) -> str:
    return f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"


def _hosts_meet_in_a_vpc(settings: TrainingSettings) -> bool:
    return bool(settings.subnets) and settings.instance_count > 1


def _invoke(function: PythonFunction) -> iam.PolicyStatement:
    """To invoke a handler, and to wait until Lambda has made it ready (the framework's GetFunction)."""
    return allow("lambda:GetFunction", "lambda:InvokeFunction", on=function.function_arn)
