"""boto3 with the account, region and profile of an environment: the ones that CDK deploys with."""

import os

import boto3
from botocore.session import get_session
from botocore.utils import InstanceMetadataRegionFetcher

import environments
from environments.agreement import LAST_REGION, PROFILE_VARIABLES, REGION_VARIABLES, check_account, check_shell


def session(environment: str = environments.DEFAULT) -> boto3.Session:
    """A session for environments/<environment>.toml. Keys that the file leaves empty get the CDK command line's values.

    Raises EnvironmentRefusedError if the shell or the credentials disagree with the file, and boto3's exception for a
    profile that does not exist.
    """
    chosen = environments.load(environment)
    opened = _opened(chosen)
    if chosen.account:
        check_account(chosen, account(opened))
    return opened


def region(environment: str = environments.DEFAULT) -> str:
    """The region of that session, without credentials. Raises EnvironmentRefusedError if the shell has another."""
    found: str = _opened(environments.load(environment)).region_name
    return found


def _opened(chosen: environments.Environment) -> boto3.Session:
    check_shell(chosen, os.environ)
    # boto3 prefers AWS_DEFAULT_PROFILE to AWS_PROFILE, and reads neither AWS_REGION nor the default profile's region
    named = chosen.profile or _first(PROFILE_VARIABLES)
    opened = boto3.Session(profile_name=named)
    region = chosen.region or _first(REGION_VARIABLES) or opened.region_name or _region_of_default_profile(opened)
    return boto3.Session(profile_name=named, region_name=region or _region_of_this_host() or LAST_REGION)


def profile(environment: str = environments.DEFAULT) -> str | None:
    """The profile of that session; None if boto3 chooses."""
    return environments.load(environment).profile or _first(PROFILE_VARIABLES)


def account(opened: boto3.Session) -> str:
    """The account that the credentials belong to."""
    identity: str = opened.client("sts").get_caller_identity()["Account"]
    return identity


def cdk_options(environment: str) -> list[str]:
    """Options for CDK with the environment, account and region from which kennel read the photos. app.py compares
    them with CDK's."""
    opened = session(environment)
    found = {"environment": environment, "account": account(opened), "region": opened.region_name}
    return [option for key, value in found.items() for option in ("-c", f"kennel.photos_{key}={value}")]


def _first(variables: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)


def _region_of_default_profile(opened: boto3.Session) -> str | None:
    if "default" not in opened.available_profiles:
        return None
    return boto3.Session(profile_name="default").region_name


def _region_of_this_host() -> str | None:
    """On EC2, the instance's region, which CDK asks for too."""
    address = "ec2_metadata_service_endpoint"
    config = {address: get_session().get_config_variable(address)}
    region: str | None = InstanceMetadataRegionFetcher(timeout=1, num_attempts=1, config=config).retrieve_region()
    return region
