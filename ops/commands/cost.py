"""`kennel cost`: what an environment costs, before anything is deployed."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from ops.commands.options import Env, Settings, overrides
from ops.echo import echo


def cost(
    context: typer.Context,
    settings: Settings = None,
    region: Annotated[str, typer.Option(metavar="NAME", help="The prices' region. Default: the environment's.")] = "",
    templates: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The output of `cdk synth`. Default: synthesise now.")
    ] = None,
    items: Annotated[bool, typer.Option("--items", help="Print each charge too, the most expensive first.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table alone, as README has it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, with each charge.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Estimate what an environment costs: idle, expected, at worst, for a training and for 1,000 predictions.

    It needs no credentials and calls nothing. Example: [bold]kennel cost -c serving.scaling.max_instances=5[/bold]
    """
    import ops.session
    from ops.cost import estimate, table
    from ops.cost.synthesis import synthesised
    from ops.views.steps import terminal

    changed = overrides(settings)
    if templates is not None and changed:
        raise typer.BadParameter("a setting changes the templates; leave out --templates.", param_hint="-c")
    chosen = region or ops.session.region(context.obj)
    with nullcontext(templates) if templates else synthesised(context.obj, changed) as folder:
        found = estimate(folder, chosen)
    if as_json:
        echo(table.as_json(found, context.obj))
    elif as_markdown:
        echo(table.markdown(found, context.obj), nl=False)
    else:
        table.print_report(found, context.obj, terminal(), items=items)
