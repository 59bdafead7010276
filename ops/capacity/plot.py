"""The picture of a simulation: its calls and instances over time."""

from pathlib import Path

from ops.capacity.load import Load
from ops.capacity.simulation import SimulatedMinute
from ops.views.load_plot import FleetLook, LoadMinute, LoadRun, load_plot


def draw(load: Load, minutes: list[SimulatedMinute], path: Path, *, target: float) -> None:
    """Write it as a PNG. target: calls in a minute for each instance."""
    run = LoadRun(
        minutes=[LoadMinute(len(minute.latencies_s), minute.refused) for minute in minutes],
        looks=[FleetLook(float(number), minute.desired, minute.in_service) for number, minute in enumerate(minutes)],
        target=target,
        kind="simulated",
        axis="Minutes of the simulation",
    )
    load_plot(run, path, title=f"Endpoint under {load.name}")
