"""Pin the Deep Learning AMI from which the training host is launched, or remove the pin.

    make ami                  # pin the newest image of the environment's region in its file, which is committed
    make ami ENV=production
    make ami ARGS=--unpin     # use the newest image on the day that the host is launched

docs/decisions/0025-pinning-the-ami.md says when to use which.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import environments
from contract.utf8_mode import start_in_utf8_mode
from environments import EnvironmentRefusedError
from environments.agreement import chosen
from environments.edit import read_setting, write_setting
from ops.echo import echo, echo_error
from stacks.settings import WorkbenchSettings

SECTION, SETTING = "workbench", "host_image"
PARAMETER = WorkbenchSettings().host_image.removeprefix("resolve:ssm:")

Resolve = Callable[[str], tuple[str, str]]
"""From an SSM parameter's name to the region of the client and the parameter's value."""


class LookupFailedError(Exception):
    """The parameter could not be read from AWS. The message says why, and what to do."""


def resolve(environment: str) -> Resolve:
    """Read a parameter in the environment's account and region. The function that it returns raises
    `LookupFailedError`."""
    from botocore.exceptions import BotoCoreError, ClientError

    from ops.session import session

    def read(parameter: str) -> tuple[str, str]:
        try:
            client = session(environment).client("ssm")
            value: str = client.get_parameter(Name=parameter)["Parameter"]["Value"]
        except (BotoCoreError, ClientError) as error:
            raise LookupFailedError(
                f"The newest image could not be read from AWS: {error} `make ami` needs credentials and a region, such "
                "as AWS_PROFILE=... AWS_REGION=eu-west-1 make ami. Nothing was changed."
            ) from error
        return client.meta.region_name, value

    return read


def pin(file: Path, resolve: Resolve) -> str:
    """Write the newest image's id into an environment's file. Returns a message about the next deploy."""
    region, image = resolve(PARAMETER)
    before = read_setting(file, SECTION, SETTING)
    if before == image:
        return f"{image} is already pinned, and is the newest in {region}."
    write_setting(file, SECTION, SETTING, image)
    return (
        f"Pinned {image}, of {region} only, in environments/{file.name} (it was: {before or 'not pinned'}). The next "
        "deploy of the workbench replaces the training host and its disk: copy what you need to the bucket first."
    )


def unpin(file: Path) -> str:
    before = read_setting(file, SECTION, SETTING)
    if before is None:
        return "No image is pinned."
    write_setting(file, SECTION, SETTING, None)
    return f"{before} is no longer pinned. The next deploy of the workbench replaces the training host and its disk."


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make ami", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--env", help="the environment (make ami ENV=...)")
    parser.add_argument("--unpin", action="store_true", help="remove the pin: launch from the newest image of the day")
    options = parser.parse_args(arguments)
    try:
        environment = environments.load(chosen(options.env, os.environ))
        file = environments.FOLDER / f"{environment.name}.toml"
        echo(unpin(file) if options.unpin else pin(file, resolve(environment.name)))
    except (LookupFailedError, EnvironmentRefusedError) as error:
        echo_error(error)
        return 1
    return 0


if __name__ == "__main__":
    start_in_utf8_mode()
    sys.exit(main())
