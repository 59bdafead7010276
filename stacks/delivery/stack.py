"""Delivery: two roles that GitHub Actions assumes, without a stored key."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.common.iam import allow
from stacks.settings import DeliverySettings

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
"""Of the tokens that aws-actions/configure-aws-credentials asks for."""

LONGEST_DEPLOY_H = 4
"""A training ends within an hour, and an update of the endpoint within two by default. CDK assumes its own roles again
when their sessions end, for which the session of this role must last."""

ROLES = cdk.DefaultStackSynthesizer
"""Has the names of the roles that `cdk bootstrap` creates."""


class DeliveryStack(cdk.Stack):
    """Owns the roles of GitHub Actions. Deleting it ends deployments by GitHub, and nothing that is deployed.

    The roles have no right but to assume roles of CDK's bootstrap stack. The deploy role may assume those that `cdk
    deploy` uses; the role for pull requests may assume the one that only reads.
    """

    def __init__(
        self, scope: Construct, id: str, *, github_environment: str, settings: DeliverySettings, **kwargs: Any
    ) -> None:
        """github_environment: whose jobs may deploy. Its reviewers and its rules on branches are set on GitHub."""
        super().__init__(scope, id, **kwargs)
        provider = self._provider(settings.create_provider)
        deploy = self._role(
            "DeployRole",
            provider,
            claims={
                "sub": f"repo:{settings.repository}:environment:{github_environment}",
                # GitHub creates an environment that a workflow names, without any rule. Without this condition a
                # workflow of any branch could then deploy.
                "ref": f"refs/heads/{settings.branch}",
            },
            assumes=(
                ROLES.DEFAULT_DEPLOY_ROLE_ARN,
                ROLES.DEFAULT_FILE_ASSET_PUBLISHING_ROLE_ARN,
                ROLES.DEFAULT_IMAGE_ASSET_PUBLISHING_ROLE_ARN,
                ROLES.DEFAULT_LOOKUP_ROLE_ARN,
            ),
            description="Assumed by GitHub Actions to deploy: docs/delivery.md",
            longest_session=cdk.Duration.hours(LONGEST_DEPLOY_H),
        )
        diff = self._role(
            "DiffRole",
            provider,
            claims={"sub": f"repo:{settings.repository}:pull_request"},
            assumes=(ROLES.DEFAULT_LOOKUP_ROLE_ARN,),
            description="Assumed by GitHub Actions for a pull request, to read: docs/delivery.md",
            longest_session=cdk.Duration.hours(1),
        )
        cdk.CfnOutput(self, "DeployRoleArn", value=deploy.role_arn)
        cdk.CfnOutput(self, "DiffRoleArn", value=diff.role_arn)
        cdk.CfnOutput(self, "LookupRoleArn", value=self._bootstrapped(ROLES.DEFAULT_LOOKUP_ROLE_ARN))

    def _provider(self, create: bool) -> str:
        """The ARN of the account's identity provider for GitHub."""
        if not create:
            return self.format_arn(service="iam", region="", resource="oidc-provider", resource_name=ISSUER)
        # no thumbprint: AWS trusts GitHub's certificate authority
        return iam.CfnOIDCProvider(self, "Provider", url=f"https://{ISSUER}", client_id_list=[AUDIENCE]).attr_arn

    def _role(
        self,
        id: str,
        provider: str,
        *,
        claims: Mapping[str, str],
        assumes: tuple[str, ...],
        description: str,
        longest_session: cdk.Duration,
    ) -> iam.Role:
        """A role for tokens of GitHub with exactly these claims, that may assume roles of the bootstrap stack."""
        conditions = {f"{ISSUER}:{name}": value for name, value in {"aud": AUDIENCE, **claims}.items()}
        role = iam.Role(
            self,
            id,
            assumed_by=iam.WebIdentityPrincipal(provider, {"StringEquals": conditions}),
            description=description,
            max_session_duration=longest_session,
        )
        role.add_to_policy(allow("sts:AssumeRole", on=[self._bootstrapped(arn) for arn in assumes]))
        return role

    def _bootstrapped(self, arn: str) -> str:
        """The ARN of a bootstrap role in this account and region. arn: as CDK declares it, with placeholders."""
        qualifier = self.synthesizer.bootstrap_qualifier
        if qualifier is None:  # of a synthesizer that the stack got as an argument
            raise ValueError(
                "Leave out the synthesizer of DeliveryStack: only the app's own names the bootstrap roles."
            )
        return cdk.Fn.sub(arn.replace("${Qualifier}", qualifier))
