"""The step of `--load`: the endpoint follows a load that rises and falls."""

from ops.data.bucket import output_of
from ops.rehearse.account import SPEED
from ops.rehearse.answers import event_of
from ops.rehearse.load import Load, fleet_of
from ops.rehearse.stage import Stage
from ops.views.load_plot import load_plot
from rehearsal.cloud.clock import Clock
from stacks.settings.parse import load

PICTURE = "load.png"


def rehearse_scaling(stage: Stage) -> None:
    """Call the function until the endpoint has its most instances, then less until it has its fewest.

    Raises RehearsalError if the endpoint does not follow.
    """
    scaling = load(stage.environment, stage.plan.overrides()).serving.scaling
    endpoint = output_of("serving", "EndpointName", environment=stage.environment.name)
    function, event = stage.function, event_of(stage.data.used("test")[0].path)
    sagemaker = stage.client("sagemaker")
    what = f"Scale the endpoint: a load that rises and falls, {SPEED:g} of AWS's minutes in a minute"
    with stage.steps.step(what) as report:
        run = Load(
            lambda: bool(function.invoke(event)["statusCode"] == 200),
            lambda: fleet_of(sagemaker, endpoint),
            target=scaling.target_invocations_per_min,
            clock=Clock(SPEED),
            report=report,
        ).run(least=scaling.min_instances, most=scaling.max_instances)
    picture = stage.plan.folder / PICTURE
    load_plot(run, picture, title=f"{endpoint}: calls and instances")
    failed = sum(minute.failed for minute in run.minutes)
    counts = ", ".join(map(str, run.counts))
    stage.console.print(f"     instances in service: {counts}; {failed} calls failed; picture: {picture}")
