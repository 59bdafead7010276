"""The inputs of a rehearsal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from environments import DEFAULT
from ops.rehearse.hyperparameters import FROM_SCRATCH, ON_FEATURES

LOAD_SETTING = "serving.scaling.target_invocations_per_min"
LOAD_TARGET = 10
"""Calls in a minute for each instance, unless the operator sets it. A minute of the local AWS takes 3 s, so the default
target of 25 needs 22 calls a second, which two cores answer if they do nothing else."""

PAGE_SETTINGS = {"api.http": "true", "api.http_authorization": "none", "api.page": "true"}
"""With these the HTTP API of a rehearsal that is kept shows the page. Only this machine reaches it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The inputs of a rehearsal."""

    folder: Path
    """The folder for all output."""
    data: Path | None = None
    """The operator's own photos; None draws a sample."""
    pretrained: str | None = None
    """A file with the weights to start from, `imagenet` or `none`. None: ImageNet's. For drawn photos `with_weights`
    replaces it by a file that is here or soon downloaded, or else by `none`."""
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
    model: Path | None = None
    """The folder of a finished artifact, which is deployed; None trains one."""

    @property
    def needs_deployment(self) -> bool:
        """Whether it asks for something that a rehearsal without the local AWS cannot do."""
        return bool(self.full or self.load or self.keep or self.settings or self.model)

    @property
    def weights(self) -> str:
        """Weights to start from: a file, `imagenet` or `none`; empty if the operator's settings say it, or that nothing
        is trained."""
        if self.model or named(self.settings).keys() & {"training.model_data", "training.pretrained_uri"}:
            return ""
        return self.pretrained or ("none" if self.data is None else "imagenet")

    @property
    def sends_weights(self) -> bool:
        """Whether the deployed training starts from weights in the bucket."""
        return self.weights not in ("", "none")

    def hyperparameters(self) -> dict[str, object]:
        """The hyperparameters of the training job. As in a deploy, weights are no hyperparameter but a channel."""
        options: Mapping[str, object] = {}
        if self.weights == "none":
            options = FROM_SCRATCH
        elif self.data is None and not self.model:
            options = ON_FEATURES
        epochs = {"epochs": self.epochs} if self.epochs else {}
        return {**options, **epochs, "seed": self.seed}

    def context(self) -> list[str]:
        """The settings of the deployment, NAME=VALUE. Of two with one name, CDK takes the last: the operator's own."""
        options = {option.replace("-", "_"): value for option, value in self.hyperparameters().items()}
        if "pretrained" in options:
            options["pretrained_uri"] = options.pop("pretrained")
        return [*(f"training.{name}={value}" for name, value in options.items()), *self.chosen()]

    def chosen(self) -> list[str]:
        """Of these, the ones that do not depend on the weights."""
        lowered = [f"{LOAD_SETTING}={LOAD_TARGET}"] if self.load else []
        return [*lowered, *self._page(), *self.settings]

    def _page(self) -> list[str]:
        """The settings of the page, unless the operator chooses one of them."""
        if not self.keep or PAGE_SETTINGS.keys() & named(self.settings).keys():
            return []
        return [f"{name}={value}" for name, value in PAGE_SETTINGS.items()]

    def overrides(self) -> dict[str, str]:
        """The context that CDK makes of them."""
        return named(self.context())


def named(settings: Iterable[str]) -> dict[str, str]:
    """Values by name, of NAME=VALUE. Of two with one name, the last counts."""
    return {name: value for name, _, value in (setting.partition("=") for setting in settings)}
