"""Which changed properties make CloudFormation replace a resource of the types that the engine lacks.

They are the `createOnlyProperties` of AWS's schemas of resource types, with which tests/cloud/test_replacement.py
compares them, without those inside another property: a change of such a one updates the resource. Source:
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

REPLACING: dict[str, frozenset[str]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": frozenset(["ResourceId", "ScalableDimension", "ServiceNamespace"]),
    "AWS::ApplicationAutoScaling::ScalingPolicy": frozenset(
        ["PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace"]
    ),
    "AWS::Budgets::Budget": frozenset(["NotificationsWithSubscribers"]),
    "AWS::EC2::EIP": frozenset(["Address", "IpamPoolId", "NetworkBorderGroup", "TransferAddress"]),
    "AWS::EC2::FlowLog": frozenset(
        [
            "DeliverCrossAccountRole",
            "DeliverLogsPermissionArn",
            "DestinationOptions",
            "LogDestination",
            "LogDestinationType",
            "LogFormat",
            "LogGroupName",
            "MaxAggregationInterval",
            "ResourceId",
            "ResourceType",
            "TagFieldSpecifications",
            "TrafficType",
        ]
    ),
    "AWS::EC2::Instance": frozenset(
        [
            "AvailabilityZone",
            "CpuOptions",
            "ElasticGpuSpecifications",
            "ElasticInferenceAccelerators",
            "EnclaveOptions",
            "HibernationOptions",
            "HostResourceGroupArn",
            "ImageId",
            "Ipv6AddressCount",
            "Ipv6Addresses",
            "KeyName",
            "LaunchTemplate",
            "LicenseSpecifications",
            "NetworkInterfaces",
            "PlacementGroupName",
            "PrivateIpAddress",
            "SecurityGroups",
            "SubnetId",
        ]
    ),
    "AWS::EC2::NatGateway": frozenset(
        ["AllocationId", "AvailabilityMode", "ConnectivityType", "PrivateIpAddress", "SubnetId", "VpcId"]
    ),
    "AWS::EC2::SecurityGroupEgress": frozenset(
        [
            "CidrIp",
            "CidrIpv6",
            "DestinationPrefixListId",
            "DestinationSecurityGroupId",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "ToPort",
        ]
    ),
    "AWS::EC2::SecurityGroupIngress": frozenset(
        [
            "CidrIp",
            "CidrIpv6",
            "FromPort",
            "GroupId",
            "GroupName",
            "IpProtocol",
            "SourcePrefixListId",
            "SourceSecurityGroupId",
            "SourceSecurityGroupName",
            "SourceSecurityGroupOwnerId",
            "ToPort",
        ]
    ),
    "AWS::IAM::OIDCProvider": frozenset(["Url"]),
    "AWS::SSM::Document": frozenset(["DocumentType", "Name"]),
    "AWS::SageMaker::Endpoint": frozenset(["EndpointName"]),
    "AWS::SageMaker::EndpointConfig": frozenset(
        [
            "AsyncInferenceConfig",
            "DataCaptureConfig",
            "EnableNetworkIsolation",
            "EndpointConfigName",
            "ExecutionRoleArn",
            "ExplainerConfig",
            "KmsKeyId",
            "MetricsConfig",
            "ProductionVariants",
            "ShadowProductionVariants",
            "VpcConfig",
        ]
    ),
    "AWS::SageMaker::Model": frozenset(
        [
            "Containers",
            "EnableNetworkIsolation",
            "ExecutionRoleArn",
            "InferenceExecutionConfig",
            "ModelName",
            "PrimaryContainer",
            "VpcConfig",
        ]
    ),
    "AWS::SageMaker::ModelPackageGroup": frozenset(["ModelPackageGroupDescription", "ModelPackageGroupName"]),
    "AWS::SageMaker::NotebookInstance": frozenset(
        [
            "DirectInternetAccess",
            "KmsKeyId",
            "NotebookInstanceName",
            "PlatformIdentifier",
            "SecurityGroupIds",
            "SubnetId",
        ]
    ),
    "AWS::SageMaker::NotebookInstanceLifecycleConfig": frozenset(["NotebookInstanceLifecycleConfigName"]),
}
"""By type."""
