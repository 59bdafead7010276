"""Refuse to work if the environment's file and the shell, or CDK and kennel, name different deployments.

The CDK command line passes the account and region of its credentials and configuration to the app, in
CDK_DEFAULT_ACCOUNT and CDK_DEFAULT_REGION.
"""

from collections.abc import Mapping

from environments.environment import DEFAULT, Environment, EnvironmentRefusedError

VARIABLE = "KENNEL_ENV"
"""The variable that names an environment to make, kennel and app.py alike."""
REGION_VARIABLES = ("AWS_REGION", "AMAZON_REGION", "AWS_DEFAULT_REGION", "AMAZON_DEFAULT_REGION")
"""In the order of the CDK command line (aws-cdk 2.1148, `AwsCliCompatible.region`)."""
PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
LAST_REGION = "us-east-1"
"""The region that the CDK command line uses if no region is configured."""
KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AMAZON_ACCESS_KEY_ID")
"""With one of them the CDK command line uses no profile of the shell (`shouldPrioritizeEnv`)."""


def chosen(named: str | None, variables: Mapping[str, str]) -> str:
    """The environment's name: `named` on the command line, else KENNEL_ENV, else the default.

    named: None if the command line names none. Raises EnvironmentRefusedError if the two differ, or one is empty.
    """
    in_shell = variables.get(VARIABLE)
    if "" in (named, in_shell):
        where = "on the command line" if named == "" else f"in {VARIABLE}"
        raise EnvironmentRefusedError(
            f"The environment's name {where} is ''; write a name, such as {DEFAULT}, or leave it out."
        )
    if named is not None and in_shell is not None and named != in_shell:
        raise EnvironmentRefusedError(
            f"The command line names the environment {named!r}, but {VARIABLE} is {in_shell!r}; unset {VARIABLE}, or "
            "name the same one."
        )
    return named or in_shell or DEFAULT


def check_shell(environment: Environment, variables: Mapping[str, str]) -> None:
    """Compare the file's region and profile with the shell's. Raises EnvironmentRefusedError.

    Also refuses a profile together with an access key: CDK would use the keys, and boto3 the profile.
    """
    for key, value, names in (
        ("region", environment.region, REGION_VARIABLES),
        ("profile", environment.profile, PROFILE_VARIABLES),
    ):
        variable = next((name for name in names if variables.get(name)), None)
        if value and variable and variables[variable] != value:
            raise EnvironmentRefusedError(
                f"{environment.file} has the {key} {value!r}, but {variable} is {variables[variable]!r}; unset "
                f"{variable}, or name another environment."
            )
    variable = next((name for name in PROFILE_VARIABLES if variables.get(name)), None)
    profile = variables[variable] if variable else environment.profile
    key_variable = next((name for name in KEY_VARIABLES if variables.get(name)), None)
    if profile and key_variable:
        raise EnvironmentRefusedError(
            f"{variable or environment.file} has the profile {profile!r}, but {key_variable} is set too, and CDK would "
            f"use that key instead of the profile; unset {key_variable}, or leave the profile out."
        )


def check_account(environment: Environment, account: str) -> None:
    """Compare the file's account with that of the credentials. Raises EnvironmentRefusedError."""
    if environment.account and account and account != environment.account:
        raise EnvironmentRefusedError(
            f"{environment.file} has the account {environment.account}, but the credentials belong to {account}; set "
            "AWS_PROFILE to a profile of that account, or name another environment."
        )


def check_cdk(environment: Environment, context: Mapping[str, object], variables: Mapping[str, str]) -> None:
    """Compare the file, and what kennel found when it read the photos, with CDK's account and region.

    Raises EnvironmentRefusedError. Without credentials (synth) there is no account to compare.
    """
    check_shell(environment, variables)
    account, region = variables.get("CDK_DEFAULT_ACCOUNT", ""), variables.get("CDK_DEFAULT_REGION", "")
    if environment.profile and account and not any(variables.get(name) for name in PROFILE_VARIABLES):
        raise EnvironmentRefusedError(
            f"{environment.file} has the profile {environment.profile!r}, but AWS_PROFILE is not set and CDK may use "
            f"another one; run `export AWS_PROFILE={environment.profile}` first (`make` does it by itself)."
        )
    if environment.profile and account and not environment.account:
        # CDK's --profile changes the credentials and no variable, so only the account shows it.
        raise EnvironmentRefusedError(
            f"{environment.file} has the profile {environment.profile!r} and no account, but CDK's credentials, which "
            f"`--profile` may change, belong to {account}; write the account of that profile into the file."
        )
    check_account(environment, account)
    of_photos = str(context.get("kennel.photos_environment", environment.name))
    if of_photos != environment.name:
        raise EnvironmentRefusedError(
            f"kennel read the photos of the environment {of_photos!r}, but CDK deploys {environment.name!r}; name the "
            f"same one twice: -c kennel.environment={environment.name} and kennel --env {environment.name}."
        )
    for key, cdk_has in (("account", account), ("region", environment.region or region)):
        photos = str(context.get(f"kennel.photos_{key}", ""))
        if photos and cdk_has and photos != cdk_has:
            raise EnvironmentRefusedError(
                f"kennel read the photos in the {key} {photos}, but CDK deploys to {cdk_has}; set the "
                f"{key} in {environment.file}, or in AWS_PROFILE/AWS_REGION; do not pass it as an option of cdk."
            )
