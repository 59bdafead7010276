"""Pin the Deep Learning AMI from which the training host is launched, or remove the pin.

    make ami                  # pin the newest image of your region in cdk.context.json, which is committed
    make ami ARGS=--unpin     # use the newest image on the day that the host is launched

docs/decisions/0025-pinning-the-ami.md says when to use which.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from stacks.settings import WorkbenchSettings

CONTEXT = Path("cdk.context.json")
SETTING = "workbench.host_image"
PARAMETER = WorkbenchSettings().host_image.removeprefix("resolve:ssm:")

Resolve = Callable[[str], tuple[str, str]]
"""From an SSM parameter's name to the region of the client and the parameter's value."""


class LookupFailedError(Exception):
    """The parameter could not be read from AWS. The message says why, and what to do."""


def resolve(parameter: str) -> tuple[str, str]:
    """Read the parameter in the caller's account and region. Raises `LookupFailedError`."""
    from botocore.exceptions import BotoCoreError, ClientError

    from ops.session import session

    try:
        client = session().client("ssm")
        value: str = client.get_parameter(Name=parameter)["Parameter"]["Value"]
    except (BotoCoreError, ClientError) as error:
        raise LookupFailedError(
            f"The newest image could not be read from AWS: {error} `make ami` needs credentials and a region, such as "
            "AWS_PROFILE=... AWS_REGION=eu-west-1 make ami. Nothing was changed."
        ) from error
    return client.meta.region_name, value


def pin(context: Path, resolve: Resolve) -> str:
    """Write the newest image's id into the context. Returns a message about the next deploy."""
    settings = _read(context)
    region, image = resolve(PARAMETER)
    before = settings.get(SETTING)
    if before == image:
        return f"{image} is already pinned, and is the newest in {region}."
    _write(context, {**settings, SETTING: image})
    return (
        f"Pinned {image}, of {region} only, in {context} (it was: {before or 'not pinned'}). The next deploy of the "
        "workbench replaces the training host and its disk: copy what you need to the bucket first."
    )


def unpin(context: Path) -> str:
    settings = _read(context)
    if SETTING not in settings:
        return "No image is pinned."
    before = settings.pop(SETTING)
    _write(context, settings)
    return f"{before} is no longer pinned. The next deploy of the workbench replaces the training host and its disk."


def _read(context: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(context.read_text()) if context.exists() else {}
    return found


def _write(context: Path, settings: dict[str, object]) -> None:
    if settings:
        context.write_text(json.dumps(settings, indent=2) + "\n")
    else:
        context.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make ami", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--unpin", action="store_true", help="remove the pin: launch from the newest image of the day")
    options = parser.parse_args(arguments)
    try:
        print(unpin(CONTEXT) if options.unpin else pin(CONTEXT, resolve))
    except LookupFailedError as error:
        print(f"kennel: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
