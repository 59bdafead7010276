"""The SageMaker notebook instance."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from aws_cdk import Aws, Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from stacks.common.iam import allow
from stacks.common.nag import acknowledge
from stacks.common.sources import content
from stacks.common.staging import staged
from stacks.settings import WorkbenchSettings
from stacks.workbench.network import Place

HERE = Path(__file__).parent
NOTEBOOK = HERE.parents[1] / "notebooks" / "kennel.ipynb"


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """What notebooks/kennel.ipynb reads from deployment.json, beside it."""

    region: str
    bucket: str
    data_prefix: str
    artifact_prefix: str
    """Where training jobs write their artifacts."""
    endpoint: str


class Notebook(Construct):
    """One notebook instance without root access that stops itself when idle. Deleting it deletes its volume.

    Its role may not write logs: SageMaker would create a log group that all notebooks of the account share and that no
    stack deletes. The output of the start script is in `kennel/setup.log`, next to the notebook.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        place: Place,
        code: ssm.StringParameter,
        deployment: Deployment,
        settings: WorkbenchSettings,
    ) -> None:
        super().__init__(scope, id)
        role = self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        notebook = self._notebook_file(role)
        script = Fn.sub(
            (HERE / "on_start.sh").read_text(encoding="utf-8"),
            {
                "Region": Aws.REGION,
                "CodeParameter": code.parameter_name,
                "NotebookParameter": notebook.parameter_name,
                "Deployment": json.dumps(asdict(deployment), indent=2),
                "IdleMinutes": str(settings.notebook_idle_stop_min),
                "IdleStop": (HERE / "idle_stop.py").read_text(encoding="utf-8"),
            },
        )
        lifecycle = sagemaker.CfnNotebookInstanceLifecycleConfig(
            self,
            "Lifecycle",
            on_start=[
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
            # through SageMaker's own network interface; the alternative needs a NAT gateway or endpoints in the subnet
            direct_internet_access="Enabled" if settings.notebook_internet else "Disabled",
            subnet_id=place.subnet_id,
            security_group_ids=list(place.security_group_ids),
            volume_size_in_gb=settings.notebook_volume_gib,
            lifecycle_config_name=lifecycle.attr_notebook_instance_lifecycle_config_name,
            instance_metadata_service_configuration=sagemaker.CfnNotebookInstance.InstanceMetadataServiceConfigurationProperty(
                minimum_instance_metadata_service_version="2"
            ),
        )
        acknowledge(
            self.instance,
            "A customer-managed key costs 1 USD a month and protects no more than the default key; without direct "
            "internet access the subnet would need a NAT gateway at 32 USD a month.",
            "SM2",
            *(["SM3"] if settings.notebook_internet else []),
        )
        self.instance.node.add_dependency(role)
        if settings.notebook_idle_stop_min:
            # A policy of its own: the instance depends on the default policy, and this one refers to the instance.
            stop = iam.Policy(self, "StopItself", roles=[role])
            stop.add_statements(allow("sagemaker:StopNotebookInstance", on=self.instance.ref))

    def _notebook_file(self, role: iam.Role) -> ssm.StringParameter:
        """The notebook file's S3 URI, in an SSM parameter: a change of the file does not change the instance."""
        file = assets.Asset(self, "File", path=str(staged({NOTEBOOK.name: content(NOTEBOOK)}) / NOTEBOOK.name))
        parameter = ssm.StringParameter(
            self, "FileAddress", string_value=file.s3_object_url, description="Kennel's notebook"
        )
        role.add_to_policy(allow("s3:GetObject", on=file.bucket.arn_for_objects(file.s3_object_key)))
        role.add_to_policy(allow("ssm:GetParameter", on=parameter.parameter_arn))
        return parameter
