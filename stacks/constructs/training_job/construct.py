"""The training job as a resource: CloudFormation waits for it, reads its artifact, stops it when it is deleted."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Aws, CustomResource, Duration, IgnoreMode
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as cr
from constructs import Construct

from stacks.constructs.acknowledge import acknowledge, wildcard
from stacks.constructs.bucket_access import BucketAccess
from stacks.constructs.function import PythonFunction, function_role
from stacks.constructs.owned_log_group import OwnedLogGroup
from stacks.constructs.policy import allow, pass_role
from stacks.constructs.training_job.metrics import METRICS
from stacks.settings import TrainingSettings

SAGEMAKER = "sagemaker.amazonaws.com"


class TrainingJob(Construct):
    """One SageMaker training job, run by `cdk deploy`.

    A change of anything that determines the result is a new job; the same inputs find the finished one. Deleting it
    stops a running job and waits; finished jobs and their artifacts stay.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name_prefix: str,
        image_uri: str,
        hyperparameters: Mapping[str, str],
        storage: BucketAccess,
        role: iam.Role,
        settings: TrainingSettings,
    ) -> None:
        super().__init__(scope, id)
        provider = self._provider(name_prefix, storage, role, settings)
        job = CustomResource(
            self,
            "Job",
            resource_type="Custom::TrainingJob",
            service_token=provider.service_token,
            properties={
                "NamePrefix": name_prefix,
                "Image": image_uri,
                "InstanceType": settings.instance_type,
                "InstanceCount": str(settings.instance_count),
                "HyperParameters": dict(hyperparameters),
                "Pretrained": settings.pretrained_uri,
                "Bucket": storage.bucket.bucket_name,
                "DataPrefix": storage.settings.data_prefix,
                "ArtifactPrefix": storage.settings.artifact_prefix,
                "RoleArn": role.role_arn,
                "VolumeGiB": str(settings.volume_gib),
                "MaxRuntimeSeconds": str(settings.max_runtime_min * 60),
                "Metrics": METRICS,
                # Not read by the handler, which lists the data itself: a change of it makes CloudFormation ask again.
                "DataVersion": settings.data_version,
            },
        )
        # The role's policies too: without them the job would start before it may read its data.
        job.node.add_dependency(role)
        self.model_data = job.get_att_string("ModelData")
        self.job_name = job.get_att_string("JobName")
        self.test_accuracy = job.get_att_string("TestAccuracy")

    def _provider(
        self, name_prefix: str, storage: BucketAccess, role: iam.Role, settings: TrainingSettings
    ) -> cr.Provider:
        log_group = OwnedLogGroup(self, "Logs", retention_days=30)
        code = lambda_.Code.from_asset(
            str(Path(__file__).parent), exclude=["/*", "!/handler", "__pycache__"], ignore_mode=IgnoreMode.GIT
        )
        jobs = f"arn:{Aws.PARTITION}:sagemaker:{Aws.REGION}:{Aws.ACCOUNT_ID}:training-job/{name_prefix}-*"
        listed = [f"{prefix}*" for prefix in (storage.settings.data_prefix, storage.settings.artifact_prefix)]
        on_event = PythonFunction(
            self,
            "OnEvent",
            description="Starts, adopts or stops Kennel's training job",
            code=code,
            handler="handler.events.on_event",
            log_group=log_group,
            timeout_s=300,  # lists the data, and waits up to two minutes for a new role to be known everywhere
            rights=[
                allow("sagemaker:CreateTrainingJob", "sagemaker:AddTags", on=jobs),
                allow("sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob", on=jobs),
                pass_role(role, SAGEMAKER),
                allow("s3:ListBucket", on=storage.bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": listed}}),
            ],
        )
        is_complete = PythonFunction(
            self,
            "IsComplete",
            description="Looks whether Kennel's training job has ended",
            code=code,
            handler="handler.events.is_complete",
            log_group=log_group,
            timeout_s=60,
            rights=[allow("sagemaker:DescribeTrainingJob", on=jobs)],
        )
        framework_roles = [
            function_role(self, name, log_group=log_group) for name in ("FrameworkOnEventRole", "FrameworkWaitRole")
        ]
        provider = cr.Provider(
            self,
            "Provider",
            on_event_handler=on_event,
            is_complete_handler=is_complete,
            query_interval=Duration.seconds(settings.poll_interval_s),
            total_timeout=Duration.minutes(settings.WAIT_CEILING_MIN),
            log_group=log_group,
            disable_waiter_state_machine_logging=True,
            framework_on_event_role=framework_roles[0],
            framework_complete_and_timeout_role=framework_roles[1],
        )
        jobs_wildcard = f"arn:<AWS::Partition>:sagemaker:<AWS::Region>:<AWS::AccountId>:training-job/{name_prefix}-*"
        for function in (on_event, is_complete):
            acknowledge(
                function.execution_role, "A job's name ends in the hash of its recipe.", wildcard(jobs_wildcard)
            )
        for role_of_framework in framework_roles:
            acknowledge(
                role_of_framework,
                "CDK's framework grants each version of the two functions, and there is one of each.",
                wildcard(on_event, ":*"),
                wildcard(is_complete, ":*"),
            )
        waiter = provider.node.find_child("waiter-state-machine")
        acknowledge(
            waiter,
            "CDK's own state machine. Its history holds the answer's address and is kept out of the logs on purpose; "
            "the functions that it calls log.",
            "SF1",
            "SF2",
            *(wildcard(provider.node.find_child(f"framework-{name}"), ":*") for name in ("isComplete", "onTimeout")),
        )
        return provider
