"""Each setting, changed alone, changes the templates where it should and nowhere else."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.infra.conftest import Synthesise, load_settings
from tests.infra.declared import SETTINGS, at
from tests.infra.template_places import differences

DELIVERY = {"delivery.repository": "dogs/kennel"}
CAPTURE = {"serving.capture.percent": 10}
DRIFT = {**CAPTURE, "monitoring.drift.daily": "true"}
HTTP = {"api.http": "true"}
JOB_IN_VPC = {"training.subnets": "subnet-00000000000000001", "training.security_groups": "sg-00000000000000001"}
MODEL_IN_VPC = {
    "serving.subnets": "subnet-00000000000000001,subnet-00000000000000002",
    "serving.security_groups": "sg-00000000000000001",
}
WORKBENCH_IN_VPC = {"workbench.vpc": "vpc-00000000000000001", "workbench.subnet": "subnet-00000000000000001"}
VARIANT = "Serving/EndpointConfig.ProductionVariants"
FLEET_TOO_SMALL_AFTER = "Monitoring/AlarmsFleetTooSmall.EvaluationPeriods"
ROLLOUT = "Serving/Endpoint.DeploymentConfig"
TRACKING = "Serving/ScalingPolicy.TargetTrackingScalingPolicyConfiguration"
LIFECYCLE = "Storage/Bucket.LifecycleConfiguration.Rules"
JOB = "Training/TrainingJob"
POLICY = "DefaultPolicy.PolicyDocument.Statement"
TRUST = "AssumeRolePolicyDocument.Statement"


@dataclass(frozen=True, slots=True)
class Reach:
    """A value other than the default, and the places that it changes; `*` stands for the rest of a name."""

    value: Any
    places: tuple[str, ...]
    beside: dict[str, Any] = field(default_factory=dict)
    """What else must be set for the setting to matter, on both sides of the comparison."""


REACH = {
    "storage.data_prefix": Reach(
        "photos/",
        (
            "Storage output DataUri",
            f"{JOB}.DataPrefix",
            f"Training/JobRole{POLICY}",
            f"Training/TrainingJobRole{POLICY}",
            "Workbench/HostInstance.UserData",
            f"Workbench/HostRole{POLICY}",
            "Workbench/NotebookLifecycle.OnStart.Content",
            f"Workbench/NotebookRole{POLICY}",
        ),
    ),
    "storage.artifact_prefix": Reach(
        "models/",
        (
            f"{LIFECYCLE}.Prefix",
            f"{JOB}.ArtifactPrefix",
            f"Training/JobRole{POLICY}",
            f"Training/TrainingJobRole{POLICY}",
            f"Serving/ModelRole{POLICY}",
            "Workbench/HostInstance.UserData",
            f"Workbench/HostRole{POLICY}",
            "Workbench/NotebookLifecycle.OnStart.Content",
            f"Workbench/NotebookRole{POLICY}",
        ),
    ),
    "storage.checkpoint_days": Reach(7, (f"{LIFECYCLE}.ExpirationInDays",)),
    "storage.noncurrent_version_days": Reach(7, (f"{LIFECYCLE}.NoncurrentVersionExpiration.NoncurrentDays",)),
    "storage.incomplete_upload_days": Reach(3, (f"{LIFECYCLE}.AbortIncompleteMultipartUpload.DaysAfterInitiation",)),
    "storage.kms_key_arn": Reach(
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        (
            "Storage/Bucket.BucketEncryption.ServerSideEncryptionConfiguration.*",
            f"{JOB}.KmsKey",
            f"Training/JobRole{POLICY}",
            f"Serving/ModelRole{POLICY}",
            "Serving/EndpointConfig.DataCaptureConfig.KmsKeyId",
            f"Api/FunctionRole{POLICY}",
            f"Workbench/HostRole{POLICY}",
            f"Workbench/NotebookRole{POLICY}",
        ),
        beside={**CAPTURE, "api.readable_s3_prefixes": "s3://callers/photos/"},
    ),
    "training.mode": Reach("full", (f"{JOB}.HyperParameters.mode",)),
    "training.epochs": Reach(7, (f"{JOB}.HyperParameters.epochs",)),
    "training.batch_size": Reach(32, (f"{JOB}.HyperParameters.batch-size",)),
    "training.learning_rate": Reach(0.01, (f"{JOB}.HyperParameters.learning-rate",)),
    "training.weight_decay": Reach(0.5, (f"{JOB}.HyperParameters.weight-decay",)),
    "training.label_smoothing": Reach(0.1, (f"{JOB}.HyperParameters.label-smoothing",)),
    "training.image_size": Reach(192, (f"{JOB}.HyperParameters.image-size",)),
    "training.precision": Reach("fp32", (f"{JOB}.HyperParameters.precision",)),
    "training.seed": Reach(7, (f"{JOB}.HyperParameters.seed",)),
    "training.instance_type": Reach("ml.g5.xlarge", (f"{JOB}.InstanceType",)),
    "training.instance_count": Reach(4, (f"{JOB}.InstanceCount",)),
    "training.fallback_instance_types": Reach("ml.g6.xlarge", (f"{JOB}.FallbackInstanceTypes",)),
    "training.spot": Reach("true", (f"{JOB}.MaxWaitSeconds",)),
    "training.spot_max_wait_min": Reach(
        44, (f"{JOB}.MaxWaitSeconds",), beside={"training.spot": "true", "training.max_runtime_min": 40}
    ),
    "training.volume_gib": Reach(50, (f"{JOB}.VolumeGiB",)),
    "training.max_runtime_min": Reach(40, (f"{JOB}.MaxRuntimeSeconds",)),
    "training.poll_interval_s": Reach(60, ("Training/TrainingJobProviderwaiterstatemachine.DefinitionString",)),
    "training.pretrained_uri": Reach(
        "s3://weights/resnet50.safetensors", (f"{JOB}.Pretrained", f"Training/JobRole{POLICY}")
    ),
    "training.checkpoint_every": Reach(5, (f"{JOB}.HyperParameters.checkpoint-every",)),
    "training.data_uri": Reach(
        "s3://theirs/dogs/",
        (
            f"{JOB}.DataBucket",
            f"{JOB}.DataPrefix",
            f"Training/JobRole{POLICY}",
            f"Training/TrainingJobRole{POLICY}",
        ),
    ),
    "training.data_version": Reach("another", (f"{JOB}.DataVersion",)),
    "training.model_data": Reach(
        "s3://models/model.tar.gz",
        (
            "Training/*",  # the job and everything for it
            "Training output *",
            "Serving/Model.PrimaryContainer.ModelDataUrl",
            f"Serving/ModelRole{POLICY}",
        ),
    ),
    "training.least_accuracy": Reach(0.5, (f"{JOB}.LeastAccuracy",)),
    "training.accuracy_tolerance": Reach(0.1, (f"{JOB}.AccuracyTolerance",)),
    "training.image_tag": Reach("2.15-cu140-amzn2023-sagemaker", (f"{JOB}.Image",)),
    "training.package_index": Reach(
        "arn:aws:codeartifact:eu-west-1:111122223333:repository/dogs/pypi",
        (f"{JOB}.Environment", f"Training/JobRole{POLICY}"),
    ),
    "training.subnets": Reach(
        "subnet-00000000000000002", (f"{JOB}.Subnets", f"Training/JobRole{POLICY}"), beside=JOB_IN_VPC
    ),
    "training.security_groups": Reach(
        "sg-00000000000000002", (f"{JOB}.SecurityGroups", f"Training/JobRole{POLICY}"), beside=JOB_IN_VPC
    ),
    # no template: synth warns after this day (tests/infra/test_app.py)
    "training.image_end_of_patch": Reach("2028-01-01", ()),
    "serving.endpoint_name": Reach(
        "dogs",
        (
            f"{JOB}.EndpointName",
            f"Training/TrainingJobRole{POLICY}",
            "Training/RegistryEmptiedGroup.EndpointName",
            f"Training/RegistryEmptyingRole{POLICY}",
            "Serving/Endpoint.EndpointName",
            "Serving/Logs.LogGroupName",
            "Serving/ScalingPolicy.PolicyName",
            "Serving/ScalingTarget.ResourceId",
            "Serving/Check.EndpointName",
            f"Serving/CheckFunctionRole{POLICY}",
            "Serving/CanaryFunction.Environment.Variables.ENDPOINT_NAME",
            f"Serving/CanaryFunctionRole{POLICY}",
            "Serving/CanaryUnanswered.AlarmDescription",
            "Serving/AlarmsServerErrors.*",
            "Serving/AlarmsSlowModel.*",
            "Api/Function.Environment.Variables.ENDPOINT_NAME",
            f"Api/FunctionRole{POLICY}",
            "Monitoring/AlarmsFleetTooSmall.Dimensions.Value",
            "Monitoring/AlarmsMemoryFull.Dimensions.Value",
            "Monitoring/Dashboard.DashboardBody",
            "Monitoring/NoticesRolledBack.EventPattern.detail.EndpointName",
            "Workbench/NotebookLifecycle.OnStart.Content",
            f"Workbench/NotebookRole{POLICY}",
        ),
    ),
    "serving.instance_type": Reach("ml.c6i.xlarge", (f"{VARIANT}.InstanceType",)),
    "serving.initial_instances": Reach(2, (f"{VARIANT}.InitialInstanceCount",)),
    "serving.image_uri": Reach(
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/dogs:1",
        (
            "Serving/ContainerImageBuild*",
            "Serving/DeployTimeBuildCustomResourceHandler*",
            "Serving/Image*",
            "Serving/Model.PrimaryContainer.Image",
            f"Serving/ModelRole{POLICY}",
        ),
    ),
    "serving.startup_timeout_s": Reach(
        500, (f"{VARIANT}.ContainerStartupHealthCheckTimeoutInSeconds", FLEET_TOO_SMALL_AFTER)
    ),
    "serving.download_timeout_s": Reach(500, (f"{VARIANT}.ModelDataDownloadTimeoutInSeconds", FLEET_TOO_SMALL_AFTER)),
    "serving.log_retention_days": Reach(
        90, tuple(f"Serving/{group}.RetentionInDays" for group in ("Logs", "CanaryLogs", "CheckLogs"))
    ),
    "serving.canary_interval_min": Reach(
        2,
        ("Serving/CanarySchedule.ScheduleExpression", "Serving/CanaryUnanswered.Period"),
        beside={"serving.rollout.bake_s": 600},
    ),
    "serving.subnets": Reach(
        "subnet-00000000000000001,subnet-00000000000000003",
        ("Serving/Model.VpcConfig.Subnets", f"Serving/ModelRole{POLICY}"),
        beside=MODEL_IN_VPC,
    ),
    "serving.security_groups": Reach(
        "sg-00000000000000002",
        ("Serving/Model.VpcConfig.SecurityGroupIds", f"Serving/ModelRole{POLICY}"),
        beside=MODEL_IN_VPC,
    ),
    "serving.scaling.min_instances": Reach(
        2, ("Serving/ScalingTarget.MinCapacity",), beside={"serving.initial_instances": 2}
    ),
    "serving.scaling.max_instances": Reach(5, ("Serving/ScalingTarget.MaxCapacity",)),
    "serving.scaling.target_invocations_per_min": Reach(
        50,
        (
            f"{TRACKING}.TargetValue",
            "Monitoring/AlarmsFleetTooSmall.Threshold",
            "Monitoring/Dashboard.DashboardBody",
        ),
    ),
    "serving.scaling.scale_out_cooldown_s": Reach(60, (f"{TRACKING}.ScaleOutCooldown",)),
    "serving.scaling.scale_in_cooldown_s": Reach(90, (f"{TRACKING}.ScaleInCooldown",)),
    "serving.rollout.bake_s": Reach(
        600, (f"{ROLLOUT}.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.WaitIntervalInSeconds",)
    ),
    "serving.rollout.old_fleet_removal_s": Reach(120, (f"{ROLLOUT}.BlueGreenUpdatePolicy.TerminationWaitInSeconds",)),
    "serving.rollout.timeout_s": Reach(7200, (f"{ROLLOUT}.BlueGreenUpdatePolicy.MaximumExecutionTimeoutInSeconds",)),
    "serving.rollout.max_5xx_per_min": Reach(3, ("Serving/AlarmsServerErrors.Threshold",)),
    "serving.rollout.max_latency_ms": Reach(
        900, ("Serving/AlarmsSlowModel.Threshold", "Monitoring/Dashboard.DashboardBody")
    ),
    "serving.rollout.rollback": Reach("false", (f"{ROLLOUT}.AutoRollbackConfiguration",)),
    "serving.rollout.retain_variant_properties": Reach(
        "false",
        ("Serving/Endpoint.RetainAllVariantProperties", "Serving/Endpoint.ExcludeRetainedVariantProperties*"),
    ),
    "serving.capture.percent": Reach(
        20, ("Serving/EndpointConfig.DataCaptureConfig.InitialSamplingPercentage",), beside=CAPTURE
    ),
    "serving.capture.prefix": Reach(
        "seen/",
        (
            "Serving/EndpointConfig.DataCaptureConfig.DestinationS3Uri",
            f"Serving/ModelRole{POLICY}",
            f"{LIFECYCLE}.Prefix",
        ),
        beside=CAPTURE,
    ),
    "serving.capture.keep_days": Reach(5, (f"{LIFECYCLE}.ExpirationInDays",), beside=CAPTURE),
    "monitoring.drift.daily": Reach(
        "true",
        (
            "Serving/Drift*",
            "Monitoring/AlarmsDrifted",
            "Monitoring/NoticesDriftCheckFailed",
            "Monitoring/Dashboard.DashboardBody",
        ),
        beside=CAPTURE,
    ),
    "monitoring.drift.instance_type": Reach(
        "ml.t3.medium", ("Serving/DriftFunction.Environment.Variables.INSTANCE_TYPE",), beside=DRIFT
    ),
    "api.memory_mib": Reach(1024, ("Api/Function.MemorySize",)),
    "api.timeout_s": Reach(
        20,
        (
            "Api/Function.Timeout",
            "Monitoring/AlarmsFunctionSlow.Threshold",
            "Monitoring/Dashboard.DashboardBody",
            "Serving/Model.PrimaryContainer.Environment.KENNEL_ANSWER_WITHIN_S",
        ),
    ),
    "api.provisioned_concurrency": Reach(
        6,
        (
            "Api/Live.ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions",
            "Monitoring/Dashboard.DashboardBody",
        ),
    ),
    "api.readable_s3_prefixes": Reach(
        "s3://callers/photos/",
        ("Api/Function.Environment.Variables.READABLE_S3_PREFIXES", f"Api/FunctionRole{POLICY}"),
    ),
    "api.allowed_url_hosts": Reach(
        "photos.example.org,.example.org", ("Api/Function.Environment.Variables.ALLOWED_URL_HOSTS",)
    ),
    "api.log_retention_days": Reach(
        90, ("Api/Logs.RetentionInDays", "Api/HttpAccessLogs.RetentionInDays"), beside=HTTP
    ),
    "api.http": Reach("true", ("Api/Http*", "Api/LiveHttp", "Api output HttpUrl", "Api output HttpRouteArn")),
    "api.http_authorization": Reach("none", ("Api/HttpPredict.AuthorizationType",), beside=HTTP),
    "api.page": Reach(
        "true",
        (
            "Api/HttpPage*",
            "Api/LivePage",
            "Api/Function.Environment.Variables.PAGE",
            "Api/Function.Code*",
            "Api output PageUrl",
        ),
        beside={**HTTP, "api.http_authorization": "none"},
    ),
    "api.http_requests_per_s": Reach(5, ("Api/HttpStage.DefaultRouteSettings.ThrottlingRateLimit",), beside=HTTP),
    "api.http_burst": Reach(50, ("Api/HttpStage.DefaultRouteSettings.ThrottlingBurstLimit",), beside=HTTP),
    "workbench.host": Reach("false", ("Workbench/Host*", "Workbench output Connect")),
    "workbench.host_instance_type": Reach("g5.xlarge", ("Workbench/HostInstance.InstanceType",)),
    "workbench.host_volume_gib": Reach(200, ("Workbench/HostInstance.BlockDeviceMappings.Ebs.VolumeSize",)),
    "workbench.host_image": Reach("ami-0123456789abcdef0", ("Workbench/HostTemplate.LaunchTemplateData.ImageId",)),
    "workbench.zone_index": Reach(
        1,
        (
            "Workbench/NetworkVpcPublicSubnet1Subnet.AvailabilityZone",
            "Workbench/NetworkVpcPublicSubnet1Subnet.CidrBlock",
        ),
    ),
    "workbench.idle_stop_min": Reach(30, ("Workbench/HostIdle.EvaluationPeriods",)),
    "workbench.notebook": Reach("false", ("Workbench/Notebook*", "Workbench output NotebookName")),
    "workbench.notebook_instance_type": Reach("ml.g5.xlarge", ("Workbench/NotebookInstance.InstanceType",)),
    "workbench.notebook_volume_gib": Reach(20, ("Workbench/NotebookInstance.VolumeSizeInGB",)),
    "workbench.notebook_idle_stop_min": Reach(30, ("Workbench/NotebookLifecycle.OnStart.Content",)),
    "workbench.notebook_internet": Reach(
        "false", ("Workbench/NotebookInstance.DirectInternetAccess",), beside=WORKBENCH_IN_VPC
    ),
    "workbench.vpc": Reach("vpc-00000000000000002", ("Workbench/NetworkOutbound.VpcId",), beside=WORKBENCH_IN_VPC),
    "workbench.subnet": Reach(
        "subnet-00000000000000002",
        ("Workbench/HostInstance.SubnetId", "Workbench/NotebookInstance.SubnetId"),
        beside=WORKBENCH_IN_VPC,
    ),
    "workbench.security_groups": Reach(
        "sg-00000000000000002",
        ("Workbench/HostInstance.SecurityGroupIds", "Workbench/NotebookInstance.SecurityGroupIds"),
        beside={**WORKBENCH_IN_VPC, "workbench.security_groups": "sg-00000000000000001"},
    ),
    "monitoring.email": Reach(
        "team@example.org",
        # what publishes to the topic waits for its subscription too
        ("Monitoring/AlertsEmail", "Monitoring/Notices* itself"),
    ),
    "monitoring.monthly_budget_usd": Reach(500, ("Budget/Budget.Budget.BudgetLimit.Amount",)),
    "delivery.repository": Reach(
        "kennels/dogs", (f"Delivery/DeployRole.{TRUST}", f"Delivery/DiffRole.{TRUST}"), beside=DELIVERY
    ),
    "delivery.branch": Reach("release/1.x", (f"Delivery/DeployRole.{TRUST}",), beside=DELIVERY),
    "delivery.create_provider": Reach(
        "false", ("Delivery/Provider", f"Delivery/DeployRole.{TRUST}", f"Delivery/DiffRole.{TRUST}"), beside=DELIVERY
    ),
}


def test_every_setting_declares_where_it_appears_in_the_templates() -> None:
    assert sorted(REACH) == sorted(SETTINGS)


EVERYDAY = frozenset(list(REACH)[::3])
"""A synthesis takes seconds; `make test-slow` has the other two thirds."""


@pytest.mark.parametrize(
    "name", [name if name in EVERYDAY else pytest.param(name, marks=pytest.mark.slow) for name in REACH]
)
def test_a_setting_changes_the_templates_where_it_should(name: str, synthesise: Synthesise) -> None:
    reach = REACH[name]
    before, after = tuple(reach.beside.items()), (*reach.beside.items(), (name, reach.value))
    assert at(load_settings(dict(after)), name) != at(load_settings(dict(before)), name)
    found = differences(synthesise(*before), synthesise(*dict(after).items()))
    unexpected = {place for place in found if not any(fnmatchcase(place, wanted) for wanted in reach.places)}
    missed = {wanted for wanted in reach.places if not any(fnmatchcase(place, wanted) for place in found)}
    assert (unexpected, missed) == (set(), set())
