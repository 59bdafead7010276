"""From the settings to the running `cdk deploy`: what was shown and confirmed is what is deployed."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

import environments
from environments.agreement import check_shell
from ops.deploy.assembly import Assembly
from ops.deploy.cdk import Cdk
from ops.deploy.errors import DeployRefusedError
from ops.deploy.inputs import cdk_options
from ops.deploy.options import Options
from ops.deploy.permissions import Permissions
from ops.deploy.question import check_terminal, confirm
from ops.deploy.summary import Summary
from ops.preflight import table
from ops.preflight.run import Report, preflight
from ops.views.steps import Steps
from stacks.settings.context import ENVIRONMENT
from stacks.settings.parse import load

FOLDER = Path("build/deploy")


def deploy(name: str, stacks: Sequence[str], words: Sequence[str], console: Console, *, answered: bool) -> NoReturn:
    """Check the account, show one summary, ask one question, and become `cdk deploy`.

    name: the environment. stacks: their ids, or `--all`. words: options for CDK. answered: ask nothing.

    Raises DeployRefusedError if nothing was deployed, and the errors of settings, environments and photos.
    """
    check_terminal(answered=answered)
    options = Options.of(words)
    environment = environments.load(name)
    check_shell(environment, os.environ)
    settings = load(environment, options.context)
    cdk = Cdk(environment)
    steps = Steps(console, total=3)

    found = _preflight(name, stacks, options, console, steps)
    folder = FOLDER / name
    assembly = Assembly((folder / "assembly").resolve())
    with steps.step("Write the templates"):
        shutil.rmtree(folder, ignore_errors=True)
        inputs = cdk_options(name, photos=options.context.get("training.data_uri", ""))
        cdk.synthesise(assembly.folder, ["-c", f"{ENVIRONMENT}={name}", *inputs, *options.words])
    chosen = assembly.stacks(stacks, exclusively=options.exclusively)
    options.check_no_stack(assembly.stacks(["--all"]))
    with steps.step("Compare the permissions with those in the account"):
        permissions = Permissions.read(cdk.security_changes(assembly.folder, chosen, options.words))
    tables = folder / "permissions.txt"
    tables.write_text(permissions.tables + "\n", encoding="utf-8")

    Summary.of(
        assembly.folder,
        environment=name,
        account=found.account,
        region=found.region,
        stacks=chosen,
        settings=settings,
        permissions=permissions,
        tables=tables,
    ).show(console)
    if not answered:
        confirm(f"Deploy {_listed(chosen)}?")
    # --yes: CDK also asks before it rolls back a stack that an earlier deploy left in the middle
    unasked = [] if options.approval else ["--require-approval", "never", "--yes"]
    cdk.deploy(assembly.folder, chosen, [*unasked, *options.words])


def _preflight(name: str, stacks: Sequence[str], options: Options, console: Console, steps: Steps) -> Report:
    with steps.step("Check the account") as report:
        found = preflight(
            name,
            options.context,
            stacks=stacks,
            exclusively=options.exclusively,
            progress=lambda done, total, title: report(done, total, title if console.is_terminal else ""),
        )
    if found.findings:
        table.print_report(found, console)
    if not found.passed:
        raise DeployRefusedError(
            "Nothing was changed. If an error above is wrong, deploy with CDK alone, which asks before each stack: "
            + _by_hand(name, stacks, options)
        )
    return found


def _listed(stacks: Sequence[str]) -> str:
    return stacks[0] if len(stacks) == 1 else f"these {len(stacks)} stacks"


def _by_hand(name: str, stacks: Sequence[str], options: Options) -> str:
    """The command that deploys the same without preflight. With other options CDK would train again."""
    environment = "" if name == environments.DEFAULT else f" ENV={name}"
    photos = " ".join(filter(None, ["data version", options.context.get("training.data_uri"), "--cdk-options"]))
    inputs = f"$(.venv/bin/kennel --env {name} {photos})"
    return f'make cdk{environment} ARGS="{" ".join(["deploy", *stacks, *options.words, inputs])}"'
