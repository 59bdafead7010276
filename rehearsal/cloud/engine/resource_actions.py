"""The IAM action with which CloudFormation creates, changes or deletes a resource: the main one of each type.

The registry's schema of a type has all of them
(https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html, `handlers`).
"""

CREATE, UPDATE, DELETE = 0, 1, 2
_PREFIXES = {
    "apigatewayv2": "apigateway",
    "applicationautoscaling": "application-autoscaling",
    "stepfunctions": "states",
}
_ACTIONS = {
    "AWS::ApplicationAutoScaling::ScalableTarget": (
        "RegisterScalableTarget",
        "RegisterScalableTarget",
        "DeregisterScalableTarget",
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("PutScalingPolicy", "PutScalingPolicy", "DeleteScalingPolicy"),
    "AWS::Budgets::Budget": ("ModifyBudget", "ModifyBudget", "ModifyBudget"),
    "AWS::CloudWatch::Alarm": ("PutMetricAlarm", "PutMetricAlarm", "DeleteAlarms"),
    "AWS::CloudWatch::Dashboard": ("PutDashboard", "PutDashboard", "DeleteDashboards"),
    "AWS::EC2::FlowLog": ("CreateFlowLogs", "CreateTags", "DeleteFlowLogs"),
    "AWS::EC2::Instance": ("RunInstances", "ModifyInstanceAttribute", "TerminateInstances"),
    "AWS::EC2::SubnetRouteTableAssociation": (
        "AssociateRouteTable",
        "ReplaceRouteTableAssociation",
        "DisassociateRouteTable",
    ),
    "AWS::EC2::VPCEndpoint": ("CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"),
    "AWS::EC2::VPCGatewayAttachment": ("AttachInternetGateway", "AttachInternetGateway", "DetachInternetGateway"),
    "AWS::Events::Rule": ("PutRule", "PutRule", "DeleteRule"),
    "AWS::IAM::ManagedPolicy": ("CreatePolicy", "CreatePolicyVersion", "DeletePolicy"),
    "AWS::IAM::Policy": ("PutRolePolicy", "PutRolePolicy", "DeleteRolePolicy"),
    "AWS::KMS::Key": ("CreateKey", "PutKeyPolicy", "ScheduleKeyDeletion"),
    "AWS::Lambda::EventInvokeConfig": (
        "PutFunctionEventInvokeConfig",
        "UpdateFunctionEventInvokeConfig",
        "DeleteFunctionEventInvokeConfig",
    ),
    "AWS::Lambda::Function": ("CreateFunction", "UpdateFunctionConfiguration", "DeleteFunction"),
    "AWS::Lambda::Permission": ("AddPermission", "AddPermission", "RemovePermission"),
    "AWS::Lambda::Version": ("PublishVersion", "PublishVersion", "DeleteFunction"),
    "AWS::Logs::LogGroup": ("CreateLogGroup", "PutRetentionPolicy", "DeleteLogGroup"),
    "AWS::Logs::MetricFilter": ("PutMetricFilter", "PutMetricFilter", "DeleteMetricFilter"),
    "AWS::S3::Bucket": ("CreateBucket", "PutBucketTagging", "DeleteBucket"),
    "AWS::S3::BucketPolicy": ("PutBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
    "AWS::SNS::Subscription": ("Subscribe", "SetSubscriptionAttributes", "Unsubscribe"),
    "AWS::SNS::Topic": ("CreateTopic", "SetTopicAttributes", "DeleteTopic"),
    "AWS::SNS::TopicPolicy": ("SetTopicAttributes", "SetTopicAttributes", "SetTopicAttributes"),
    "AWS::SQS::Queue": ("CreateQueue", "SetQueueAttributes", "DeleteQueue"),
    "AWS::SageMaker::ModelPackageGroup": ("CreateModelPackageGroup", "AddTags", "DeleteModelPackageGroup"),
    "AWS::SQS::QueuePolicy": ("SetQueueAttributes", "SetQueueAttributes", "SetQueueAttributes"),
}
_OWN = ("AWS::CDK::Metadata", "AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle")
_VERBS = ("Create", "Update", "Delete")


def action(resource_type: str, step: int) -> str:
    """ "lambda:CreateFunction", or empty if CloudFormation calls no service for it. step: CREATE, UPDATE or DELETE."""
    if resource_type.startswith("Custom::") or resource_type == "AWS::CloudFormation::CustomResource":
        return "lambda:InvokeFunction"
    if resource_type in _OWN:
        return ""
    _, service, name = resource_type.split("::")
    prefix = _PREFIXES.get(service.lower(), service.lower())
    if prefix == "apigateway":  # its actions are HTTP's methods
        return f"apigateway:{('POST', 'PATCH', 'DELETE')[step]}"
    return f"{prefix}:{_ACTIONS[resource_type][step] if resource_type in _ACTIONS else _VERBS[step] + name}"
