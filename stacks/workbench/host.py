"""A GPU host with PyTorch: open a session and run `python3 solution.py`."""

from pathlib import Path

from aws_cdk import Aws, Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from stacks.common.iam import allow
from stacks.common.metrics import cpu_utilization
from stacks.common.nag import acknowledge
from stacks.common.runbook import with_runbook_link
from stacks.settings import WorkbenchSettings
from stacks.workbench.network import Place

USER = "ubuntu"
PYTHON = "/opt/pytorch/bin/python3"
"""The Deep Learning AMI's Python with torch and CUDA."""
IDLE_BELOW_PERCENT = 5


class TrainingHost(Construct):
    """One instance of the Deep Learning AMI, reached only through Session Manager. Deleting it deletes its volume."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        place: Place,
        code: ssm.StringParameter,
        data_uri: str,
        results_uri: str,
        settings: WorkbenchSettings,
    ) -> None:
        super().__init__(scope, id)
        self.role = self._role()
        self.instance = self._instance(place, code, data_uri, results_uri, self.role, settings)
        self.instance.node.add_dependency(self.role, *place.ready)
        acknowledge(
            self.instance,
            "The host is deleted with its stack on purpose; results belong in the bucket (kennel-save).",
            "EC29",
        )
        self.session = self._session()
        if settings.idle_stop_min:
            self._idle_stop(settings.idle_stop_min)

    def _role(self) -> iam.Role:
        """The calls of the Session Manager agent. AWS's managed policy would also allow reading every SSM parameter."""
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        role.add_to_policy(
            allow(
                "ssm:UpdateInstanceInformation",
                "ssmmessages:CreateControlChannel",
                "ssmmessages:CreateDataChannel",
                "ssmmessages:OpenControlChannel",
                "ssmmessages:OpenDataChannel",
                on="*",  # IAM defines no resource type for these channels
            )
        )
        acknowledge(role, "IAM defines no resource type for the Session Manager agent's calls.", "IAM5[Resource::*]")
        return role

    def _instance(
        self,
        place: Place,
        code: ssm.StringParameter,
        data_uri: str,
        results_uri: str,
        role: iam.Role,
        settings: WorkbenchSettings,
    ) -> ec2.CfnInstance:
        # A launch template resolves the AMI once, when the instance is launched, and its text does not change when AWS
        # publishes a newer AMI. So no deploy replaces the host by itself (docs/decisions/0005-workbench-image.md).
        template = ec2.CfnLaunchTemplate(
            self,
            "Template",
            launch_template_data=ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
                image_id=settings.host_image,
                metadata_options=ec2.CfnLaunchTemplate.MetadataOptionsProperty(
                    http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
                ),
            ),
        )
        script = (Path(__file__).parent / "user_data.sh").read_text(encoding="utf-8")
        values = {
            "Region": Aws.REGION,
            "CodeParameter": code.parameter_name,
            "DataUri": data_uri,
            "ResultsUri": results_uri,
            "User": USER,
            "Python": PYTHON,
        }
        return ec2.CfnInstance(
            self,
            "Instance",
            launch_template=ec2.CfnInstance.LaunchTemplateSpecificationProperty(
                launch_template_id=template.ref, version=template.attr_latest_version_number
            ),
            instance_type=settings.host_instance_type,
            iam_instance_profile=iam.CfnInstanceProfile(self, "Profile", roles=[role.role_name]).ref,
            subnet_id=place.subnet_id,
            security_group_ids=list(place.security_group_ids),
            block_device_mappings=[
                ec2.CfnInstance.BlockDeviceMappingProperty(
                    device_name="/dev/sda1",
                    ebs=ec2.CfnInstance.EbsProperty(
                        volume_size=settings.host_volume_gib,
                        volume_type="gp3",
                        encrypted=True,
                        delete_on_termination=True,
                    ),
                )
            ],
            monitoring=True,
            propagate_tags_to_volume_on_creation=True,
            # The code's S3 URI is in an SSM parameter: in the user data, each new version would restart the host.
            user_data=Fn.base64(Fn.sub(script, values)),
        )

    def _session(self) -> ssm.CfnDocument:
        """A login shell as the user who owns the code. The default session is `sh`, as another user."""
        return ssm.CfnDocument(
            self,
            "Session",
            document_type="Session",
            update_method="NewVersion",
            content={
                "schemaVersion": "1.0",
                "description": "A login shell on Kennel's training host",
                "sessionType": "Standard_Stream",
                "inputs": {
                    "runAsEnabled": True,
                    "runAsDefaultUser": USER,
                    "idleSessionTimeout": "60",
                    "shellProfile": {"linux": "cd ~ && cat /etc/motd && exec bash -l"},
                },
            },
        )

    def _idle_stop(self, minutes: int) -> None:
        idle = cloudwatch.Alarm(
            self,
            "Idle",
            alarm_description=with_runbook_link(
                "The training host has been idle and is being stopped.", "The training host is idle"
            ),
            metric=cpu_utilization(instance_id=self.instance.ref),
            threshold=IDLE_BELOW_PERCENT,
            evaluation_periods=minutes // 5,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.MISSING,
        )
        idle.add_alarm_action(actions.Ec2Action(actions.Ec2InstanceAction.STOP))
