"""`kennel models`: the registered trainings, and which one the endpoint serves."""

from typing import Annotated

import typer

from ops.commands.options import Env, number
from ops.echo import echo


def models(
    context: typer.Context,
    last: Annotated[int, number("How many versions to print, the newest first.", least=1, most=1000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every metric of each version.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """List the versions of the model in SageMaker's Model Registry, and which one the endpoint serves.

    Exit status 0, also if there is no version or no endpoint yet; 1 if there is no registry, or AWS refuses a call.

    Example: [bold]kennel --env production models --last 5[/bold]
    """
    import environments
    from ops.models import table
    from ops.models.serving import serving
    from ops.models.versions import versions
    from ops.session import session
    from ops.views.steps import terminal
    from stacks.settings.parse import load

    environment = environments.load(context.obj)
    endpoint = load(environment, {}).serving.endpoint_name
    sagemaker = session(context.obj).client("sagemaker")
    found = versions(sagemaker, environment.job_prefix, most=last)
    serves = serving(sagemaker, endpoint)
    if as_json:
        echo(table.as_json(found, endpoint, serves))
    else:
        table.print_versions(found, endpoint, serves, terminal())
