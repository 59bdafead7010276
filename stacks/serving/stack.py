"""Serving: one model behind an autoscaled SageMaker endpoint."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.common.log_group import OwnedLogGroup
from stacks.common.telemetry import FunctionTelemetry
from stacks.common.vpc import VpcAccess
from stacks.serving.canary import EndpointCanary
from stacks.serving.capture import EndpointCapture
from stacks.serving.check import EndpointCheck
from stacks.serving.drift import DailyDriftCheck
from stacks.serving.image import ExistingImage, ServingImage
from stacks.serving.model_role import ModelRole
from stacks.serving.rollout_alarms import RolloutAlarms
from stacks.serving.scaling import EndpointScaling
from stacks.settings import DriftSettings, ServingSettings
from stacks.storage.bucket_access import BucketAccess
from stacks.training.artifact import ModelArtifact

VARIANT = "AllTraffic"
ANSWER_WITHIN = "KENNEL_ANSWER_WITHIN_S"
"""The container's variable: how long its callers wait."""


class ServingStack(cdk.Stack):
    """Owns the endpoint and its image repository. Holds no data: delete it and deploy it again at any time."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        job_prefix: str,
        job_tags: Mapping[str, str],
        artifact: ModelArtifact,
        storage: BucketAccess,
        telemetry: FunctionTelemetry,
        callers_wait_s: int,
        drift: DriftSettings,
        settings: ServingSettings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)

        image = self._image(telemetry, settings)
        log_group = OwnedLogGroup(
            self,
            "Logs",
            name=f"/aws/sagemaker/Endpoints/{settings.endpoint_name}",  # the name that SageMaker expects
            retention_days=settings.log_retention_days,
        )
        canary = (
            EndpointCanary(self, "Canary", telemetry=telemetry, settings=settings)
            if settings.canary_interval_min
            else None
        )
        alarms = RolloutAlarms(self, "Alarms", variant_name=VARIANT, settings=settings)
        self.alarms = [*alarms.all, *([canary.alarm] if canary else [])]
        capture = EndpointCapture(storage, "Capture", settings=settings.capture) if settings.capture.percent else None
        vpc = VpcAccess(subnets=settings.subnets, security_groups=settings.security_groups)
        role = ModelRole(
            self,
            "ModelRole",
            image_rights=image.rights,
            log_group=log_group,
            alarms=self.alarms,
            grants=[artifact.reader, *([capture.writer] if capture else [])],
            vpc=vpc,
        )
        model = self._model(artifact, image.uri, role, vpc, callers_wait_s)
        config = self._endpoint_config(model, capture, settings)
        endpoint = self._endpoint(config, settings)
        endpoint.node.add_dependency(log_group)
        if canary:
            canary.schedule(after=endpoint)
        check = EndpointCheck(
            self,
            "Check",
            endpoint=endpoint,
            config=config,
            inputs_digest=artifact.inputs_digest,
            telemetry=telemetry,
            settings=settings,
        )
        if drift.daily:
            DailyDriftCheck(
                self,
                "Drift",
                variant=VARIANT,
                job_prefix=job_prefix,
                tags=job_tags,
                image_uri=image.uri,
                image_rights=image.rights,
                artifact=artifact,
                storage=storage,
                vpc=vpc,
                endpoint=endpoint,
                telemetry=telemetry,
                serving=settings,
                settings=drift,
            )
        EndpointScaling(
            self,
            "Scaling",
            endpoint=endpoint,
            endpoint_name=settings.endpoint_name,
            variant_name=VARIANT,
            settings=settings.scaling,
        )

        cdk.CfnOutput(self, "EndpointName", value=endpoint.attr_endpoint_name)
        cdk.CfnOutput(self, "ServedModel", value=check.model)

    def _image(self, telemetry: FunctionTelemetry, settings: ServingSettings) -> ServingImage | ExistingImage:
        if settings.image_uri:
            return ExistingImage(self, "Image", uri=settings.image_uri)
        return ServingImage(self, "Image", telemetry=telemetry)

    def _model(
        self, artifact: ModelArtifact, image_uri: str, role: iam.Role, vpc: VpcAccess, callers_wait_s: int
    ) -> sagemaker.CfnModel:
        # No name, here and for the endpoint config: each change replaces both, and a replacement cannot reuse a name.
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            enable_network_isolation=True,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=image_uri,
                model_data_url=artifact.uri,
                # what the function would no longer wait for is refused (docs/decisions/0125-queue-of-the-container.md)
                environment={ANSWER_WITHIN: str(callers_wait_s)},
            ),
            vpc_config=sagemaker.CfnModel.VpcConfigProperty(
                subnets=list(vpc.subnets), security_group_ids=list(vpc.security_groups)
            )
            if vpc
            else None,
            tags=[cdk.CfnTag(key="inputs-digest", value=artifact.inputs_digest)],
        )
        # The role's policy too: SageMaker uses it to read the artifact when it creates the model.
        model.node.add_dependency(role)
        return model

    def _endpoint_config(
        self, model: sagemaker.CfnModel, capture: EndpointCapture | None, settings: ServingSettings
    ) -> sagemaker.CfnEndpointConfig:
        variant = sagemaker.CfnEndpointConfig.ProductionVariantProperty(
            variant_name=VARIANT,
            model_name=model.attr_model_name,
            instance_type=settings.instance_type,
            initial_instance_count=settings.initial_instances,
            initial_variant_weight=1,
            model_data_download_timeout_in_seconds=settings.download_timeout_s,
            container_startup_health_check_timeout_in_seconds=settings.startup_timeout_s,
        )
        return sagemaker.CfnEndpointConfig(
            self,
            "EndpointConfig",
            production_variants=[variant],
            data_capture_config=capture.config if capture else None,
        )

    def _endpoint(self, config: sagemaker.CfnEndpointConfig, settings: ServingSettings) -> sagemaker.CfnEndpoint:
        rollout = settings.rollout
        rollback = sagemaker.CfnEndpoint.AutoRollbackConfigProperty(
            alarms=[sagemaker.CfnEndpoint.AlarmProperty(alarm_name=alarm.alarm_name) for alarm in self.alarms]
        )
        # capture is excluded: if it were retained too, it could be turned neither on nor off
        capture = sagemaker.CfnEndpoint.VariantPropertyProperty(variant_property_type="DataCaptureConfig")
        return sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=settings.endpoint_name,
            endpoint_config_name=config.attr_endpoint_config_name,
            # otherwise each update would reset a scaled-out fleet to the initial instance count
            retain_all_variant_properties=True if rollout.retain_variant_properties else None,
            exclude_retained_variant_properties=[capture] if rollout.retain_variant_properties else None,
            deployment_config=sagemaker.CfnEndpoint.DeploymentConfigProperty(
                blue_green_update_policy=sagemaker.CfnEndpoint.BlueGreenUpdatePolicyProperty(
                    # canary traffic shifting needs two instances, and the fleet may have only one
                    traffic_routing_configuration=sagemaker.CfnEndpoint.TrafficRoutingConfigProperty(
                        type="ALL_AT_ONCE", wait_interval_in_seconds=rollout.bake_s
                    ),
                    termination_wait_in_seconds=rollout.old_fleet_removal_s,
                    maximum_execution_timeout_in_seconds=rollout.timeout_s,
                ),
                auto_rollback_configuration=rollback if rollout.rollback else None,
            ),
        )
