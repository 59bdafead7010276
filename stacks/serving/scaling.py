"""Autoscaling of one endpoint variant."""

from aws_cdk import Aws, CfnResource
from aws_cdk import aws_applicationautoscaling as scaling
from constructs import Construct

from stacks.settings import ScalingSettings

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


class EndpointScaling(Construct):
    """Target tracking on invocations per instance and minute, between a minimum and a maximum of instances.

    L1, because the alpha L2 multiplies the target by 60 x 0.5 (25 would become 750), and the L2 `ScalableTarget` adds a
    role that nothing uses.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint: CfnResource,
        endpoint_name: str,
        variant_name: str,
        settings: ScalingSettings,
    ) -> None:
        super().__init__(scope, id)
        target = scaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace=NAMESPACE,
            scalable_dimension=DIMENSION,
            resource_id=f"endpoint/{endpoint_name}/variant/{variant_name}",
            min_capacity=settings.min_instances,
            max_capacity=settings.max_instances,
            role_arn=(
                f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/aws-service-role/"
                "sagemaker.application-autoscaling.amazonaws.com/"
                "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
            ),
        )
        # The target refers to the endpoint by name only. Without this dependency CloudFormation would register the
        # target before the endpoint exists, and delete the endpoint while it is registered, which SageMaker refuses.
        target.add_resource_dependency(endpoint)
        scaling.CfnScalingPolicy(
            self,
            "Policy",
            policy_name=f"{endpoint_name}-invocations",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration=scaling.CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=settings.target_invocations_per_min,
                scale_out_cooldown=settings.scale_out_cooldown_s,
                scale_in_cooldown=settings.scale_in_cooldown_s,
                predefined_metric_specification=scaling.CfnScalingPolicy.PredefinedMetricSpecificationProperty(
                    predefined_metric_type="SageMakerVariantInvocationsPerInstance"
                ),
            ),
        )
