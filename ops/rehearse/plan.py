"""The inputs of a rehearsal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from environments import DEFAULT

FROM_SCRATCH: dict[str, object] = {
    "mode": "full",
    "image-size": 64,
    "epochs": 15,
    "batch-size": 32,
    "learning-rate": 0.002,
    "weight-decay": 0.05,
    "label-smoothing": 0.05,
    "checkpoint-every": 5,
}
"""Hyperparameters without pretrained weights, for drawn photos, when nothing may be downloaded: every weight starts
random, and the images are small enough for two cores."""

LOAD_SETTING = "serving.scaling.target_invocations_per_min"
LOAD_TARGET = 10
"""Calls in a minute for each instance, unless the operator sets it. A minute of the local AWS takes 3 s, so three
instances at the default target of 25 would need 20 calls a second, more than two cores answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The inputs of a rehearsal."""

    folder: Path
    """The folder for all output."""
    data: Path | None = None
    """The operator's own photos; None draws a sample."""
    pretrained: str | None = None
    """Weights to start from; None means none for drawn photos and ImageNet's, downloaded, for others."""
    epochs: int | None = None
    seed: int = 0
    hosts: Literal["auto", "namespaces", "loopback"] = "auto"
    """Kind of the training hosts: network namespaces, or processes over loopback. auto: namespaces if possible."""
    most_photos: int = 80
    """Held-out photos to send, at most, chosen evenly over the breeds."""
    environment: str = DEFAULT
    """The environment whose settings are deployed to the local AWS."""
    settings: tuple[str, ...] = ()
    """The operator's own settings, NAME=VALUE, as `cdk -c` takes them."""
    without_aws: bool = False
    """Whether the programs alone are rehearsed, without a deployment."""
    full: bool = False
    """Whether the deployment is also updated, rolled back, deployed unchanged and destroyed."""
    load: bool = False
    """Whether a load makes the endpoint scale."""
    keep: bool = False
    """Whether the local AWS runs until Ctrl-C."""

    @property
    def weights(self) -> str:
        """Weights to start from: a file, `imagenet` or `none`."""
        return self.pretrained or ("none" if self.data is None else "imagenet")

    def hyperparameters(self) -> dict[str, object]:
        """The hyperparameters of the training job. As in a deploy, weights are no hyperparameter but a channel."""
        options = {**FROM_SCRATCH, "pretrained": "none"} if self.weights == "none" else {}
        epochs = {"epochs": self.epochs} if self.epochs else {}
        return {**options, **epochs, "seed": self.seed}

    def context(self) -> list[str]:
        """The settings of the deployment, NAME=VALUE. Of two with one name, CDK takes the last: the operator's own."""
        named = {option.replace("-", "_"): value for option, value in self.hyperparameters().items()}
        if "pretrained" in named:
            named["pretrained_uri"] = named.pop("pretrained")
        lowered = [f"{LOAD_SETTING}={LOAD_TARGET}"] if self.load else []
        return [*(f"training.{name}={value}" for name, value in named.items()), *lowered, *self.settings]

    def overrides(self) -> dict[str, str]:
        """The context that CDK makes of them."""
        return {name: value for name, _, value in (setting.partition("=") for setting in self.context())}
