"""`kennel capacity`: how many instances a load needs, how long its calls take, and what they cost."""

from pathlib import Path
from typing import Annotated

import typer

from contract.text import printable
from ops.commands.options import Env, Settings, number, overrides, training_option
from ops.echo import echo

PHOTO_MS = 25.2
"""Median of one photo over HTTP on two cores without VNNI: docs/benchmarks.md, `make bench-serving`."""
UNANSWERED = 1
"""Exit code if calls were refused, or answered too late for the function."""


def capacity(
    context: typer.Context,
    rps: Annotated[float | None, number("Calls a second.", least=0, most=1_000_000, metavar="R")] = None,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV file with a time and the calls of this minute in each line."),
    ] = None,
    minutes: Annotated[
        int, number("Minutes with --rps; 0 prints what the load needs and simulates nothing.", least=0, most=10_080)
    ] = 60,
    photo_ms: Annotated[
        float | None,
        number(
            f"Milliseconds in which an instance answers a photo that is alone there. Default: {PHOTO_MS}.",
            least=0.1,
            most=60_000,
            metavar="MS",
        ),
    ] = None,
    measured: Annotated[
        bool, typer.Option("--measured", help="Read that time from the deployed endpoint's metrics (CloudWatch).")
    ] = False,
    start_minutes: Annotated[
        float | None,
        number("Minutes until a new instance is in service. Default: as `kennel cost` assumes.", least=0, most=120),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the calls and instances of each minute.")
    ] = None,
    settings: Settings = None,
    region: Annotated[str, typer.Option(metavar="NAME", help="The prices' region. Default: the environment's.")] = "",
    seed: Annotated[int, training_option("seed", "The same seed draws the same calls.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, with each minute.")] = False,
    env: Env = None,  # noqa: ARG001 - its callback keeps it
) -> None:
    """Simulate a load on the endpoint as it is declared: instances, latency, refused calls and price.

    It needs no credentials and calls nothing, except with --measured. Exit code 1: calls were refused or too late.
    Example: [bold]kennel capacity --rps 2 -c serving.scaling.max_instances=5[/bold]
    """
    import environments
    import ops.session
    from ops.capacity import load as loads
    from ops.capacity import table
    from ops.capacity.needs import Needs
    from ops.capacity.result import Result, hour_usd
    from ops.capacity.simulation import Rules, simulate
    from ops.cost.assumptions import Assumptions
    from ops.cost.price_table import PriceTable
    from ops.output_path import check_file
    from ops.views.steps import Steps, terminal
    from stacks.settings.parse import load

    if (rps is None) == (trace is None):
        raise typer.BadParameter("give either --rps or --trace.", param_hint="--rps")
    if measured and photo_ms is not None:
        raise typer.BadParameter("give either --measured or --photo-ms.", param_hint="--measured")
    if plot is not None:
        check_file(plot, suffix=".png")
    chosen = load(environments.load(context.obj), overrides(settings))
    serving = chosen.serving
    prices = PriceTable.of(region or ops.session.region(context.obj))
    usd = hour_usd(serving.instance_type, prices)
    photo_s, source = _photo_s(context.obj, serving.endpoint_name, photo_ms, measured=measured)
    start_min = Assumptions().new_fleet_min if start_minutes is None else start_minutes
    rules = Rules(
        scaling=serving.scaling,
        initial=serving.initial_instances,
        photo_s=photo_s,
        start_s=start_min * 60,
        callers_wait_s=chosen.callers_wait_s,
    )
    asked = loads.trace(trace) if trace is not None else loads.constant(rps or 0, minutes, seed)
    needs = Needs(asked.peak_per_s if rps is None else rps, rules)
    console = terminal()
    result = None
    if asked.calls:
        total = len(asked.calls)
        with Steps(terminal(stderr=True), 1).step(f"Simulate {asked.name}") as report:
            simulated = simulate(
                loads.with_canary(asked, serving.canary_interval_min),
                rules,
                seed,
                progress=lambda done: report(done, total, ""),
            )
        result = Result(simulated, usd, chosen.api.timeout_s)
        if plot is not None:
            from ops.capacity.plot import draw  # it needs Pillow, which `make deploy` does not install

            draw(asked, simulated, plot, target=serving.scaling.target_invocations_per_min)
    if as_json:
        echo(table.as_json(asked, needs, result))
    else:
        table.print_needs(needs, console)
        if result is not None:
            table.print_result(asked, result, console)
        console.print("\n[bold]Basis[/bold]")
        table.print_basis(needs, serving.instance_type, prices, source, console)
    if plot is not None and result is not None:
        echo(f"Picture: {printable(plot)}", err=True)
    if result is not None and (result.refused or result.late):
        raise typer.Exit(UNANSWERED)


def _photo_s(environment: str, endpoint: str, photo_ms: float | None, *, measured: bool) -> tuple[float, str]:
    """Seconds for a photo, and where the figure comes from."""
    if measured:
        import ops.session
        from ops.capacity.measured import photo_s

        opened = ops.session.session(environment)
        found = photo_s(opened.client("sagemaker"), opened.client("cloudwatch"), endpoint)
        return found, f"ModelLatency of {endpoint}, median of the last day"
    if photo_ms is not None:
        return photo_ms / 1000, "--photo-ms"
    return PHOTO_MS / 1000, "measured on two cores without VNNI (docs/benchmarks.md), not on such an instance"
