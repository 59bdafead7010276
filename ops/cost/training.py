"""One training, and the state machine that waits for it."""

from collections.abc import Iterator

from ops.cost.assumptions import Assumptions
from ops.cost.charge import HOURS_A_MONTH, Charge, Usage
from ops.cost.endpoint import volume_gb
from ops.cost.templates import Resource, Templates


def training_job(job: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """The instances of a training in the deploy. On spare capacity (spot) it costs about a third of this."""
    del app
    hosts = job.number("InstanceCount")
    hours = hosts * given.training_h
    kind = str(job.properties["InstanceType"])
    longest = hosts * job.number("MaxRuntimeSeconds") / 3600
    usage = Usage(expected=given.trainings * hours, worst=given.worst_deploys * longest, training=hours)
    yield Charge(what=f"training, {hosts:g} x {kind}", price=f"sagemaker.instance.{kind}", usage=usage)
    gb = volume_gb(kind, job.number("VolumeGiB"))
    if gb:
        yield Charge(
            what=f"training, volume of {gb:g} GiB for each host",
            price="sagemaker.storage",
            usage=usage * (gb / HOURS_A_MONTH),
        )
    reads = hosts * given.photos / 1000
    yield Charge(
        what="photos read by the hosts",
        price="s3.get",
        usage=Usage(expected=given.trainings * reads, worst=given.worst_deploys * reads, training=reads),
    )


def state_machine(resource: Resource, app: Templates, given: Assumptions) -> Iterator[Charge]:
    """A standard workflow, which is billed by its steps."""
    del app
    steps = given.deploy_calls / 1000
    yield Charge(
        what=f"steps: {resource.id}",
        price="states.transitions",
        usage=Usage(expected=given.deploys * steps, worst=given.worst_deploys * steps, training=steps),
    )
