"""Workbench: a GPU host and a notebook instance, for work on the model."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from stacks.common.iam import allow
from stacks.settings import WorkbenchSettings
from stacks.storage.bucket_access import BucketAccess, BucketGrant
from stacks.training.source_archive import SourceArchive
from stacks.workbench.host import TrainingHost
from stacks.workbench.network import WorkbenchNetwork, existing_place
from stacks.workbench.notebook import Deployment, Notebook


class WorkbenchStack(cdk.Stack):
    """Owns the host, the notebook and their network. Deleting it deletes their volumes: run `kennel-save` first.

    With neither of the two it has no network and no code either: nothing that AWS bills or an account limits.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        storage: BucketAccess,
        endpoint_name: str,
        settings: WorkbenchSettings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        if not (settings.host or settings.notebook):
            # The stack stays, so that the next deploy deletes what an earlier one made. Without any resource CDK would
            # delete the stack itself, which fails if it has termination protection.
            cdk.CfnWaitConditionHandle(self, "NoWorkbench")
            return

        if settings.subnet:
            place = existing_place(self, "Network", settings=settings)
        else:
            place = WorkbenchNetwork(self, "Network", zone_index=settings.zone_index).place
        source = SourceArchive(self, "Source")
        code = ssm.StringParameter(
            self, "Code", string_value=source.s3_object_url, description="Kennel's code, for the workbench"
        )
        if settings.host:
            bucket_uri = f"s3://{storage.bucket.bucket_name}/"
            host = TrainingHost(
                self,
                "Host",
                place=place,
                code=code,
                data_uri=f"{bucket_uri}{storage.settings.data_prefix}",
                results_uri=f"{bucket_uri}{storage.results_prefix}",
                settings=settings,
            )
            self._grant(host.role, source, code, storage.read_photos, storage.write_results)
            connect = f"aws ssm start-session --target {host.instance.ref} --document-name {host.session.ref}"
            cdk.CfnOutput(self, "Connect", value=connect)
        if settings.notebook:
            deployment = Deployment(
                region=cdk.Aws.REGION,
                bucket=storage.bucket.bucket_name,
                data_prefix=storage.settings.data_prefix,
                artifact_prefix=f"{storage.settings.artifact_prefix}artifacts/",
                endpoint=endpoint_name,
            )
            notebook = Notebook(self, "Notebook", place=place, code=code, deployment=deployment, settings=settings)
            self._grant(notebook.role, source, code, storage.read_photos, storage.read_artifacts)
            endpoint = self.format_arn(service="sagemaker", resource="endpoint", resource_name=endpoint_name)
            notebook.role.add_to_policy(allow("sagemaker:InvokeEndpoint", on=endpoint))
            cdk.CfnOutput(self, "NotebookName", value=notebook.instance.attr_notebook_instance_name)

    def _grant(self, role: iam.Role, source: SourceArchive, code: ssm.StringParameter, *data: BucketGrant) -> None:
        """Let a role read the code, and give it these grants on the bucket."""
        for grant in data:
            grant.to(role)
        role.add_to_policy(allow("s3:GetObject", on=source.bucket.arn_for_objects(source.s3_object_key)))
        role.add_to_policy(allow("ssm:GetParameter", on=code.parameter_arn))
