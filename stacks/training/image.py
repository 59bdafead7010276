"""AWS's PyTorch training image. The AWS account that owns it differs by region."""

from aws_cdk import Aws, CfnMapping, Stack, Token
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.common.iam import pull_image
from stacks.settings import SettingsError

REPOSITORY = "pytorch"

REGISTRIES = {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-1": "763104351884",
    "ap-northeast-2": "763104351884",
    "ap-northeast-3": "364406365360",
    "ap-south-1": "763104351884",
    "ap-south-2": "772153158452",
    "ap-southeast-1": "763104351884",
    "ap-southeast-2": "763104351884",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-central-1": "763104351884",
    "ca-west-1": "204538143572",
    "eu-central-1": "763104351884",
    "eu-central-2": "380420809688",
    "eu-north-1": "763104351884",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "eu-west-1": "763104351884",
    "eu-west-2": "763104351884",
    "eu-west-3": "763104351884",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "me-west-1": "124382933778",
    "mx-central-1": "637423239942",
    "sa-east-1": "763104351884",
    "us-east-1": "763104351884",
    "us-east-2": "763104351884",
    "us-west-1": "763104351884",
    "us-west-2": "763104351884",
}
"""Region to account. Read from sagemaker-core 2.27.0, `image_uri_config/pytorch-amzn2023.json`, training image 2.14."""


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
