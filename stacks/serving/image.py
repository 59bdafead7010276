"""The serving container's image: built in the account, or one that already exists."""

import re
from pathlib import Path
from typing import cast

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as assets
from cdklabs.deploy_time_build import ContainerImageBuild
from constructs import Construct, IConstruct

from stacks.common.iam import allow, pull
from stacks.common.log_group import OwnedLogGroup
from stacks.common.nag import acknowledge
from stacks.common.telemetry import FunctionTelemetry

FOLDER = Path(__file__).resolve().parents[2] / "inference"
KEPT_IMAGES = 10
"""A rollback needs the image before; older ones are deleted."""


class ServingImage(Construct):
    """Builds `inference/Dockerfile` with CodeBuild during the deploy: nobody needs Docker.

    docs/decisions/0002-serving-image.md says why, and why the library's roles and log groups are replaced here.
    """

    def __init__(self, scope: Construct, id: str, *, telemetry: FunctionTelemetry, folder: Path = FOLDER) -> None:
        super().__init__(scope, id)
        repository = ecr.Repository(
            self,
            "Repository",
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=KEPT_IMAGES)],
            empty_on_delete=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        build = ContainerImageBuild(
            self,
            "Build",
            directory=str(folder),
            exclude=["**/__pycache__", "**/*.pyc"],
            platform=ecr_assets.Platform.LINUX_AMD64,
            repository=repository,
        )
        self._narrow_project(repository, cast(assets.Asset, build.node.find_child("Source")))
        self._narrow_trigger(telemetry)
        self.uri = build.image_uri
        self.rights = pull(repository.repository_arn)

    def _narrow_project(self, repository: ecr.Repository, source: assets.Asset) -> None:
        """The library's role may read the whole asset bucket and carries a managed policy; this one is written."""
        project = _child(Stack.of(self), "ContainerImageBuild")
        name = f"{Stack.of(self).stack_name}-image"
        log_group = OwnedLogGroup(self, "BuildLogs", name=f"/aws/codebuild/{name}", retention_days=30)
        resource = cast(codebuild.CfnProject, project.node.default_child)
        resource.name = name  # named, so that its log group can be made, and deleted, here
        resource.node.add_dependency(log_group)
        role = project.node.find_child("Role")
        cast(iam.CfnRole, role.node.default_child).managed_policy_arns = None
        policy = cast(iam.CfnPolicy, role.node.find_child("DefaultPolicy").node.default_child)
        policy.policy_document = iam.PolicyDocument(
            statements=[
                allow("logs:CreateLogStream", "logs:PutLogEvents", on=log_group.log_group_arn),
                allow("s3:GetObject", on=source.bucket.arn_for_objects(source.s3_object_key)),
                allow(
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:CompleteLayerUpload",
                    "ecr:DescribeImages",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:InitiateLayerUpload",
                    "ecr:PutImage",
                    "ecr:UploadLayerPart",
                    on=repository.repository_arn,
                ),
                # log-ins to the registries, which know no resource; the public one serves the base image
                allow(
                    "ecr:GetAuthorizationToken",
                    "ecr-public:GetAuthorizationToken",
                    "sts:GetServiceBearerToken",
                    on="*",
                ),
            ]
        )
        acknowledge(role, "A log-in to a registry knows no resource.", "IAM5[Resource::*]")
        # what CodeBuild takes by itself; written, so that a check can see it
        resource.encryption_key = f"arn:{Aws.PARTITION}:kms:{Aws.REGION}:{Aws.ACCOUNT_ID}:alias/aws/s3"

    def _narrow_trigger(self, telemetry: FunctionTelemetry) -> None:
        """The library's function that starts the build: its own log group and no other, gone with the stack."""
        trigger = _child(Stack.of(self), "DeployTimeBuildCustomResourceHandler")
        log_group = OwnedLogGroup(self, "TriggerLogs", retention_days=30)
        role = cast(iam.Role, trigger.node.find_child("ServiceRole"))
        log_group.grant_write(role)
        telemetry.attach(cast(lambda_.Function, trigger), role)
        cast(iam.CfnRole, role.node.default_child).managed_policy_arns = [
            policy.managed_policy_arn for policy in telemetry.policies
        ]
        function = cast(lambda_.CfnFunction, trigger.node.default_child)
        function.runtime = lambda_.Runtime.NODEJS_LATEST.name
        function.logging_config = lambda_.CfnFunction.LoggingConfigProperty(log_group=log_group.log_group_name)


class GivenImage(Construct):
    """An image in a private ECR repository, named by `serving.image_uri`."""

    def __init__(self, scope: Construct, id: str, *, uri: str) -> None:
        super().__init__(scope, id)
        account, region, repository = re.split(r"\.dkr\.ecr\.|\.amazonaws\.[a-z.]+/", uri)
        name = re.split("[:@]", repository)[0]
        self.uri = uri
        self.rights = pull(f"arn:{Aws.PARTITION}:ecr:{region}:{account}:repository/{name}")


def _child(stack: Stack, prefix: str) -> IConstruct:
    """The library puts these at the top of the stack, under names that end in hashes."""
    return next(child for child in stack.node.children if child.node.id.startswith(prefix))
