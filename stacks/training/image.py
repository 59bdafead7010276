"""AWS's PyTorch training image. The AWS account that owns it differs by region."""

from aws_cdk import Aws, CfnMapping, Stack, Token
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.common.iam import pull_image
from stacks.settings import SettingsError
from stacks.training.registries import REGISTRIES, REPOSITORY


class TrainingImage(Construct):
    """The image's URI, and the right to pull it, in the region that the stack is deployed to.

    The table becomes a CloudFormation mapping, so one template works in every region and synth needs no look-up.
    Raises SettingsError if the stack's region is known and not in the table.
    """

    def __init__(self, scope: Construct, id: str, *, tag: str) -> None:
        super().__init__(scope, id)
        region = Stack.of(self).region
        if not Token.is_unresolved(region) and region not in REGISTRIES:
            raise SettingsError(
                f"The environment's region is {region!r}, but must be one with AWS's {REPOSITORY} {tag} image: "
                f"{', '.join(REGISTRIES)}."
            )
        mapping = CfnMapping(
            self, "Registries", mapping={region: {"Account": account} for region, account in REGISTRIES.items()}
        )
        self._account = mapping.find_in_map(Aws.REGION, "Account")
        self.uri = f"{self._account}.dkr.ecr.{Aws.REGION}.{Aws.URL_SUFFIX}/{REPOSITORY}:{tag}"

    @property
    def rights(self) -> list[iam.PolicyStatement]:
        """To pull this image and no other."""
        return pull_image(f"arn:{Aws.PARTITION}:ecr:{Aws.REGION}:{self._account}:repository/{REPOSITORY}")
