"""An audit of the synthesised templates, or of the account."""

import functools
from datetime import UTC, datetime
from pathlib import Path

import environments
from ops.audit import live, rights
from ops.audit.finding import UNUSED_DAYS, Report
from ops.audit.roles import read_folder, roles
from ops.data.aws_errors import explained
from ops.session import account, session


class AuditError(Exception):
    """There is nothing to audit. The message is one sentence for the user, with what to do."""


def of_templates(folder: Path, environment: str) -> Report:
    """The roles of a folder that `cdk synth` wrote. Raises AuditError if it has no template."""
    templates = read_folder(folder)
    if not templates:
        raise AuditError(f"There are no templates in {folder}. Run `make synth`, which writes them to cdk.out/.")
    found = list(roles(templates))
    return Report(
        environment=environment,
        source="templates",
        roles=found,
        findings=[finding for role in found for finding in rights.findings(role)],
    )


def of_account(environment: str = environments.DEFAULT, *, unused_days: int = UNUSED_DAYS) -> Report:
    """The roles of the deployed stacks. A role or a key that was not used for so many days is a finding.

    Raises EnvironmentRefusedError, and BucketError if AWS cannot be reached or refuses to list the stacks.
    """
    with explained("the audit of the account", needs="cloudformation:DescribeStacks"):
        opened = session(environment)
        return live.audit(
            functools.cache(opened.client),
            environments.load(environment),
            account=account(opened),
            region=opened.region_name,
            unused_days=unused_days,
            now=datetime.now(UTC),
        )
