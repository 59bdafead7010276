"""The weights that a rehearsal starts from: ImageNet's, as in a deploy, where this machine can have them soon."""

from dataclasses import replace
from pathlib import Path

from contract.weights import RESNET50_IMAGENET
from ops.rehearse.plan import Plan
from ops.rehearse.short_download import download_soon
from ops.views.steps import Report
from ops.weights.bucket import send, weights_bucket
from ops.weights.check import checked
from training.model.download import downloaded, is_copy, place
from training.model.weights_file import WeightsError, weights_file

KEPT = "weights"
"""The folder of a rehearsal in which its weights stay."""

DOWNLOADING = "downloading ImageNet's weights"


def with_weights(plan: Plan, report: Report) -> Plan:
    """The plan with the file that its training starts from, or with `none`.

    Photos of the operator's own need pretrained weights, so these are downloaded with patience, as for `imagenet`. For
    drawn photos they are taken from torch.hub's cache or from an earlier rehearsal, or downloaded if that is quick;
    without them every weight starts random.

    Raises WeightsError if weights that must be there are not, or are a pickle.
    """
    if not plan.weights or plan.pretrained == "none":
        return plan
    if plan.weights == "imagenet":
        path = downloaded(RESNET50_IMAGENET, lambda done, total: report(done, total, DOWNLOADING))
    elif plan.pretrained:
        path = weights_file(Path(plan.pretrained))
    else:
        found = _found(plan, report)
        if found is None:
            return replace(plan, pretrained="none")
        path = found
    return replace(plan, pretrained=str(path.absolute()))


def send_weights(plan: Plan, report: Report) -> str:
    """Send them as `kennel weights upload` does. Returns the setting with which a training starts from them.

    Raises WeightsError for a file that a training would refuse, and BucketError.
    """
    weights = checked(Path(plan.weights))
    sent = send(
        weights.content,
        weights.sha256,
        weights_bucket(plan.environment),
        environment=plan.environment,
        progress=lambda done, total: report(done, total, ""),
    )
    return f"training.pretrained_uri={sent.uri}"


def _found(plan: Plan, report: Report) -> Path | None:
    """ImageNet's weights, or None after a sentence that says why there are none."""
    for path in (place(RESNET50_IMAGENET), plan.folder / KEPT / place(RESNET50_IMAGENET).name):
        if is_copy(path, RESNET50_IMAGENET):
            return path
    try:
        return download_soon(RESNET50_IMAGENET, lambda done, total: report(done, total, DOWNLOADING))
    except WeightsError as error:
        report(1, 1, without_weights(str(error)))
        return None


def without_weights(reason: str) -> str:
    """The line for a training from random weights, which a deploy does not do."""
    return (
        f"ImageNet's weights are not here and could not be downloaded ({reason}): the training starts from random "
        "weights and takes a minute longer. A deploy trains a head on ImageNet's features: --pretrained FILE"
    )
