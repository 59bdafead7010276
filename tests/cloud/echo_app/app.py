"""A CDK app that has nothing to do with Kennel: a bucket, a function, and an endpoint that echoes."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from aws_cdk import aws_sagemaker as sagemaker

HERE = Path(__file__).parent
app = cdk.App()
stack = cdk.Stack(app, "Echo", env=cdk.Environment(account="000000000000", region="us-east-1"))

bucket = s3.Bucket(stack, "Bucket", removal_policy=cdk.RemovalPolicy.DESTROY, auto_delete_objects=True)
artifact = assets.Asset(stack, "Artifact", path=str(HERE / "model.tar.gz"))
role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
artifact.grant_read(role)
images = ecr.Repository.from_repository_name(stack, "Images", "echo")
images.grant_pull(role)

container = sagemaker.CfnModel.ContainerDefinitionProperty(
    image=images.repository_uri_for_tag("1"), model_data_url=artifact.s3_object_url
)
model = sagemaker.CfnModel(stack, "Model", execution_role_arn=role.role_arn, primary_container=container)
model.node.add_dependency(role)
variant = sagemaker.CfnEndpointConfig.ProductionVariantProperty(
    variant_name="all", model_name=model.attr_model_name, initial_instance_count=1, instance_type="ml.m5.large",
    initial_variant_weight=1,
)  # fmt: skip
config = sagemaker.CfnEndpointConfig(stack, "Config", production_variants=[variant])
endpoint = sagemaker.CfnEndpoint(stack, "Endpoint", endpoint_config_name=config.attr_endpoint_config_name)

function = lambda_.Function(
    stack, "Function", runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", timeout=cdk.Duration.seconds(30),
    code=lambda_.Code.from_asset(str(HERE / "function")),
    environment={"BUCKET": bucket.bucket_name, "ENDPOINT": endpoint.attr_endpoint_name},
)  # fmt: skip
bucket.grant_put(function)
function.add_to_role_policy(iam.PolicyStatement(actions=["sagemaker:InvokeEndpoint"], resources=[endpoint.ref]))
cdk.CfnOutput(stack, "FunctionName", value=function.function_name)
app.synth()
