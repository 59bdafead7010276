"""The local AWS of an environment: its account, its region and its credentials."""

from collections.abc import Mapping
from pathlib import Path

from environments import Environment
from environments.agreement import LAST_REGION, VARIABLE
from rehearsal.cloud.local import LocalAws

IMAGES = Path(__file__).with_name("images.toml")
ACCOUNT = "000000000000"
"""The account of an environment whose file names none. No customer has this number."""
SPEED = 20.0
"""Minutes of AWS's waits (a bake, a cooldown) in a minute."""
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def local_aws(environment: Environment, folder: Path, *, hosts: str = "auto") -> LocalAws:
    """The local AWS for the account and region of the environment's file. hosts: of its training jobs."""
    return LocalAws(
        folder,
        images=IMAGES,
        account=environment.account or ACCOUNT,
        region=environment.region or LAST_REGION,
        speed=SPEED,
        hosts=hosts,
    )


def variables(aws: LocalAws, environment: Environment) -> dict[str, str]:
    """The variables for CDK, the AWS CLI and boto3. An environment with a profile gets that profile, in files of the
    local AWS's folder: CDK refuses keys and a profile together."""
    found = {**aws.variables, VARIABLE: environment.name, "TMPDIR": str(aws.folder / "tmp")}
    if not environment.profile:
        return found
    config, credentials = aws.folder / "aws-config", aws.folder / "aws-credentials"
    config.write_text(f"[profile {environment.profile}]\nregion = {aws.variables['AWS_REGION']}\n", encoding="utf-8")
    credentials.touch(mode=0o600)
    credentials.write_text(_profile(environment.profile, found), encoding="utf-8")
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    without_keys = {name: value for name, value in found.items() if name not in KEYS}
    return {**without_keys, **files, "AWS_PROFILE": environment.profile}


def _profile(name: str, variables: Mapping[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key.lower()} = {variables[key]}\n" for key in KEYS)
