"""The step of `--load`: the endpoint follows a load that rises and falls."""

from rich.markup import escape

from contract.text import printable
from ops.data.bucket import output_of
from ops.rehearse.account import SPEED
from ops.rehearse.answers import event_of
from ops.rehearse.errors import RehearsalError
from ops.rehearse.load import Load, fleet_of, high_rate, low_rate
from ops.rehearse.plan import LOAD_SETTING, LOAD_TARGET
from ops.rehearse.stage import Stage
from ops.views.load_plot import load_plot
from rehearsal.cloud.clock import Clock
from stacks.settings.parse import load
from stacks.settings.serving import ScalingSettings

PICTURE = "load.png"
MOST_ADDED = 2
"""More instances than this machine has cores would only wait for each other."""


def goal(scaling: ScalingSettings) -> int:
    """The instances under the high load: two more than the fewest, if the settings allow so many.

    Raises RehearsalError if they allow no scaling.
    """
    if scaling.min_instances == scaling.max_instances:
        raise RehearsalError(
            f"serving.scaling.min_instances and serving.scaling.max_instances are both {scaling.max_instances}, so no "
            f"load can scale the endpoint. Add -c serving.scaling.max_instances={scaling.max_instances + 2}."
        )
    return min(scaling.max_instances, scaling.min_instances + MOST_ADDED)


def rehearse_scaling(stage: Stage) -> None:
    """Call the function until the endpoint has more instances, then less until it has its fewest.

    Raises RehearsalError if the endpoint does not follow.
    """
    scaling = load(stage.environment, stage.plan.overrides()).serving.scaling
    endpoint = output_of("serving", "EndpointName", environment=stage.environment.name)
    function, event = stage.function, event_of(stage.data.used("test")[0].path)
    sagemaker = stage.client("sagemaker")
    least, most, target = scaling.min_instances, goal(scaling), scaling.target_invocations_per_min
    what = f"Scale the endpoint with real calls: {least} to {most} to {least} instances"
    stage.console.print(f"     A minute of the local AWS takes {60 / SPEED:g} s.")
    stage.console.print(
        f"     The target is {target} calls in a minute for each instance; the load is {low_rate(target)}, then "
        f"{high_rate(target, most)}, then {low_rate(target)}."
    )
    if target == LOAD_TARGET:
        default = ScalingSettings().target_invocations_per_min
        stage.console.print(
            f"     --load deploys this target, which a busy machine can answer too, instead of {default}; "
            f"-c {LOAD_SETTING} sets it."
        )
    with stage.steps.step(what) as report:
        run = Load(
            lambda: bool(function.invoke(event)["statusCode"] == 200),
            lambda: fleet_of(sagemaker, endpoint),
            target=target,
            clock=Clock(SPEED),
            report=report,
        ).run(least=least, most=most)
    picture = stage.plan.folder / PICTURE
    load_plot(run, picture, title=f"{endpoint}: calls and instances")
    answered, failed = (sum(getattr(each, name) for each in run.minutes) for name in ("answered", "failed"))
    counts = ", then ".join(map(str, run.counts))
    stage.console.print(f"     {answered} calls answered, {failed} failed; instances in service: {counts}")
    stage.console.print(f"Picture of the load:      {escape(printable(picture))}")
