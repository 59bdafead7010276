"""The serving container's image: built during the deploy, or an existing one."""

import re
from pathlib import Path
from typing import cast

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as assets
from cdklabs.deploy_time_build import ContainerImageBuild
from constructs import Construct, IConstruct

from stacks.common.iam import allow, pull_image
from stacks.common.log_group import OwnedLogGroup
from stacks.common.nag import acknowledge
from stacks.common.sources import sources
from stacks.common.staging import staged
from stacks.common.telemetry import FunctionTelemetry
from stacks.common.trust import for_this_account, narrow_trust

FOLDER = Path(__file__).resolve().parents[2] / "inference"
CONTEXT = (".dockerignore", "Dockerfile", "drift/page.html", "requirements.txt")
"""What a build reads beside the modules."""


class ServingImage(Construct):
    """Builds `inference/Dockerfile` with CodeBuild during the deploy, so that a deploy needs no Docker.

    Owns the repository: deleting it deletes the images. docs/decisions/0002-serving-image.md gives the reasons, also
    for replacing the library's roles and log groups.
    """

    def __init__(self, scope: Construct, id: str, *, telemetry: FunctionTelemetry, folder: Path = FOLDER) -> None:
        super().__init__(scope, id)
        repository = ecr.Repository(
            self,
            "Repository",
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            # Untagged images alone, which no build leaves behind: neither a count nor an age nor the last pull tells
            # ECR which image is served (docs/decisions/0075-what-is-deleted-by-age.md).
            lifecycle_rules=[ecr.LifecycleRule(tag_status=ecr.TagStatus.UNTAGGED, max_image_age=Duration.days(1))],
            empty_on_delete=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        build = ContainerImageBuild(
            self,
            "Build",
            directory=str(staged(sources(folder, packages=["."], files=CONTEXT))),
            exclude=[],  # otherwise the library applies .dockerignore, which leaves the Dockerfile out
            platform=ecr_assets.Platform.LINUX_AMD64,
            repository=repository,
        )
        self._narrow_project(repository, cast(assets.Asset, build.node.find_child("Source")))
        self._narrow_trigger(telemetry)
        self.uri = build.image_uri
        self.rights = pull_image(repository.repository_arn)

    def _narrow_project(self, repository: ecr.Repository, source: assets.Asset) -> None:
        """Replace the rights of the library's role, which may read the whole asset bucket, and create its log group."""
        project = _child(Stack.of(self), "ContainerImageBuild")
        name = f"{Stack.of(self).stack_name}-image"
        log_group = OwnedLogGroup(self, "BuildLogs", name=f"/aws/codebuild/{name}", retention_days=30)
        resource = cast(codebuild.CfnProject, project.node.default_child)
        resource.name = name  # a fixed name, so that this stack can create and delete its log group
        resource.node.add_dependency(log_group)
        role = project.node.find_child("Role")
        narrow_trust(role, for_this_account("codebuild.amazonaws.com", source=f"codebuild:project/{name}"))
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
                # registry log-ins have no resource type in IAM; the base image comes from ECR Public
                allow(
                    "ecr:GetAuthorizationToken",
                    "ecr-public:GetAuthorizationToken",
                    "sts:GetServiceBearerToken",
                    on="*",
                ),
            ]
        )
        acknowledge(role, "IAM defines no resource type for registry log-ins.", "IAM5[Resource::*]")
        # CodeBuild's default; written out so that cdk-nag sees it
        resource.encryption_key = f"arn:{Aws.PARTITION}:kms:{Aws.REGION}:{Aws.ACCOUNT_ID}:alias/aws/s3"

    def _narrow_trigger(self, telemetry: FunctionTelemetry) -> None:
        """Give the library's function that starts the build a log group of this stack, and no right to any other."""
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


class ExistingImage(Construct):
    """An image that already is in a private ECR repository (`serving.image_uri`)."""

    def __init__(self, scope: Construct, id: str, *, uri: str) -> None:
        super().__init__(scope, id)
        account, region, repository = re.split(r"\.dkr\.ecr\.|\.amazonaws\.[a-z.]+/", uri)
        name = re.split("[:@]", repository)[0]
        self.uri = uri
        self.rights = pull_image(f"arn:{Aws.PARTITION}:ecr:{region}:{account}:repository/{name}")


def _child(stack: Stack, prefix: str) -> IConstruct:
    """A construct that the library adds to the stack itself, under an id that ends in a hash."""
    return next(child for child in stack.node.children if child.node.id.startswith(prefix))
