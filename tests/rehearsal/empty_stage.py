"""A local AWS of the environment `development`, bootstrapped and with nothing deployed."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

import environments
from ops.rehearse import account
from ops.rehearse.command_line import CommandLine
from ops.rehearse.isolation import only
from ops.rehearse.plan import Plan
from ops.rehearse.stage import Stage
from ops.views.steps import Steps
from rehearsal.processes import ProcessGroup
from tests.rehearsal.deployments import few_photos
from training.data.dataset import scan


def ignore(done: int, total: int, note: str = "") -> None:
    """Show no progress."""


@contextmanager
def empty_stage(folder: Path) -> Iterator[Stage]:
    """Its templates are synthesised, in `assembly`."""
    data = scan(few_photos(folder / "photos"))
    plan = Plan(folder=folder, data=data.folder, pretrained="none", epochs=1)
    console = Console(file=io.StringIO())
    environment = environments.load("development")
    aws = account.local_aws(environment, folder / "aws")
    with aws, only(account.variables(aws, environment)), ProcessGroup(folder / "logs") as group:
        cdk = CommandLine(environment, group)
        steps = Steps(console, total=1)
        made = Stage(plan=plan, environment=environment, data=data, aws=aws, cdk=cdk, steps=steps, console=console)
        made.synthesise(made.assembly)
        cdk.bootstrap(made.assembly)
        yield made
