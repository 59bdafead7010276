"""The SageMaker notebook instance."""

from aws_cdk import Aws, Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from stacks.constructs.acknowledge import acknowledge, wildcard
from stacks.constructs.policy import allow
from stacks.constructs.workbench_network import WorkbenchNetwork
from stacks.settings import WorkbenchSettings

LOGS = "/aws/sagemaker/NotebookInstances"
ON_CREATE = """#!/bin/bash
# Runs once, as root, when the notebook instance is made: the code of this deploy, in the notebook's home.
set -euo pipefail
cd /home/ec2-user/SageMaker
uri=$(aws ssm get-parameter --region ${Region} --name ${CodeParameter} --query Parameter.Value --output text)
aws s3 cp --only-show-errors "$uri" - | runuser -u ec2-user -- tar -xz
"""


class Notebook(Construct):
    """One notebook instance without root, with a role of its own. Deleting it deletes its volume."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: WorkbenchNetwork,
        code: ssm.StringParameter,
        settings: WorkbenchSettings,
    ) -> None:
        super().__init__(scope, id)
        role = self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        group = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:{LOGS}"
        role.add_to_policy(
            allow(
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
                on=f"{group}:*",
            )
        )

        script = Fn.sub(ON_CREATE, {"Region": Aws.REGION, "CodeParameter": code.parameter_name})
        lifecycle = sagemaker.CfnNotebookInstanceLifecycleConfig(
            self,
            "Lifecycle",
            on_create=[
                sagemaker.CfnNotebookInstanceLifecycleConfig.NotebookInstanceLifecycleHookProperty(
                    content=Fn.base64(script)
                )
            ],
        )
        self.instance = sagemaker.CfnNotebookInstance(
            self,
            "Instance",
            instance_type=settings.notebook_instance_type,
            platform_identifier="notebook-al2023-v1",
            role_arn=role.role_arn,
            root_access="Disabled",
            # SageMaker's own way out: the subnet has no NAT gateway, which is all that the alternative could use
            direct_internet_access="Enabled",
            subnet_id=network.subnet_id,
            security_group_ids=[network.security_group.security_group_id],
            volume_size_in_gb=settings.notebook_volume_gib,
            lifecycle_config_name=lifecycle.attr_notebook_instance_lifecycle_config_name,
            instance_metadata_service_configuration=sagemaker.CfnNotebookInstance.InstanceMetadataServiceConfigurationProperty(
                minimum_instance_metadata_service_version="2"
            ),
        )
        acknowledge(
            self.instance,
            "A key of one's own costs a dollar a month and protects no more than SageMaker's; the only other way out "
            "of the subnet is a NAT gateway at 32 dollars a month.",
            "SM2",
            "SM3",
        )
        acknowledge(
            role,
            "SageMaker names the log streams of its notebooks itself.",
            wildcard(f"arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:{LOGS}:*"),
        )
        self.instance.node.add_dependency(role)
