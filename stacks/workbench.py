"""Workbench: where a person works on the model: a GPU host and a notebook."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from stacks.constructs.notebook import Notebook
from stacks.constructs.policy import allow
from stacks.constructs.source_archive import SourceArchive
from stacks.constructs.training_host.construct import TrainingHost
from stacks.constructs.workbench_network import WorkbenchNetwork
from stacks.settings import StorageSettings, WorkbenchSettings


class WorkbenchStack(cdk.Stack):
    """Owns the host, the notebook and their network. Deleting it deletes their volumes: copy results to the bucket."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bucket: s3.IBucket,
        storage: StorageSettings,
        settings: WorkbenchSettings,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)

        network = WorkbenchNetwork(self, "Network", zone_index=settings.zone_index)
        source = SourceArchive(self, "Source")
        code = ssm.StringParameter(
            self, "Code", string_value=source.s3_object_url, description="Kennel's code, for the workbench"
        )
        rights = self._rights(bucket, source, code, storage)
        if settings.host:
            data_uri = f"s3://{bucket.bucket_name}/{storage.data_prefix}"
            host = TrainingHost(
                self, "Host", network=network, code=code, data_uri=data_uri, rights=rights, settings=settings
            )
            connect = f"aws ssm start-session --target {host.instance.ref} --document-name {host.session.ref}"
            cdk.CfnOutput(self, "Connect", value=connect)
        if settings.notebook:
            notebook = Notebook(self, "Notebook", network=network, code=code, rights=rights, settings=settings)
            cdk.CfnOutput(self, "NotebookName", value=notebook.instance.attr_notebook_instance_name)

    def _rights(
        self, bucket: s3.IBucket, source: SourceArchive, code: ssm.StringParameter, storage: StorageSettings
    ) -> list[iam.PolicyStatement]:
        """To read the photos, the artifacts and the code; to write nothing."""
        prefixes = [f"{prefix}*" for prefix in (storage.data_prefix, storage.artifact_prefix)]
        objects = [bucket.arn_for_objects(prefix) for prefix in prefixes]
        return [
            allow("s3:GetObject", on=[*objects, source.bucket.arn_for_objects(source.s3_object_key)]),
            allow("s3:ListBucket", on=bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": prefixes}}),
            allow("ssm:GetParameter", on=code.parameter_arn),
        ]
