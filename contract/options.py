"""The options that decide the result of a training run, each declared once.

The command line of training (`training/config.py`), the deployment's settings and the hyperparameters of the SageMaker
job take type, range, default and help text from here. Paths and limits of a machine, which change no result, are
options of the command line alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from contract.declarations import Range

Mode = Literal["frozen", "full"]
Precision = Literal["auto", "fp32"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOptions:
    mode: Mode = "frozen"
    """frozen: the pretrained backbone computes the features of each photo once, and only the head is trained.
    full: every weight is trained."""
    # up to 10,000: an epoch of frozen mode takes a fraction of a second, so even these fit into one job
    epochs: Annotated[int, Range(1, 10_000)] = 20
    """Passes over the training photos; in frozen mode over their features, which takes seconds."""
    # up to 65,536: in frozen mode the whole data set can be one batch, and this many features take 0.5 GB
    batch_size: Annotated[int, Range(1, 65_536, unit="photos")] = 64
    """Photos in each step, over all processes together, so that the result does not depend on their number."""
    # up to 1: an AdamW step changes each weight by about the learning rate, and hardly any weight is larger than 1
    learning_rate: Annotated[float, Range(1e-8, 1.0)] | None = None
    """Peak learning rate of AdamW; it rises linearly to the peak, then falls along half a cosine."""
    weight_decay: Annotated[float, Range(0.0, 10.0)] | None = None
    """Weight decay of AdamW. Biases and normalisation layers have none."""
    label_smoothing: Annotated[float, Range(0.0, 0.9)] | None = None
    """Share of each photo's target that is spread over the other breeds."""
    image_size: Annotated[int, Range(32, 1024, unit="pixels")] = 224
    """Width and height of the network's input. Smaller is faster and shows less detail."""
    precision: Precision = "auto"
    """Precision of the exported model. auto: int8 if it is as good as fp32 on `valid`, else fp32.
    fp32: always fp32."""
    # 32 bits: the largest seed that NumPy's and scikit-learn's own seed arguments accept
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0
    """Seed of all random numbers. Two runs with the same seed, data and options give the same result on the same kind
    of processor with the same number of threads; elsewhere the last digits differ."""

    def arguments(self) -> dict[str, str]:
        """The options that are set, by their names on the command line: the hyperparameters of a SageMaker job."""
        values = {field.name: getattr(self, field.name) for field in fields(TrainingOptions)}
        return {option_name(name): str(value) for name, value in values.items() if value is not None}


def option_name(field: str) -> str:
    """`batch_size` is `batch-size` on the command line and among the hyperparameters."""
    return field.replace("_", "-")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Values of the options whose default depends on the mode (docs/decisions/0031)."""

    learning_rate: float
    weight_decay: float
    label_smoothing: float


RECIPES: Mapping[str, Recipe] = {
    # The features of a photo never change, so the head overfits them: it needs a strong decay.
    "frozen": Recipe(learning_rate=0.001, weight_decay=1.0, label_smoothing=0.0),
    # Large steps would undo the pre-training.
    "full": Recipe(learning_rate=0.00005, weight_decay=0.05, label_smoothing=0.0),
    # Weights that start at random need large steps, and smoothing against overconfidence.
    "full, without pretrained weights": Recipe(learning_rate=0.001, weight_decay=0.05, label_smoothing=0.1),
}
"""Defaults by mode, used where the option is None."""


def recipe(mode: Mode, *, pretrained: bool) -> Recipe:
    """The recipe of a run. pretrained: whether the run starts from pretrained weights."""
    return RECIPES[mode if pretrained or mode == "frozen" else f"{mode}, without pretrained weights"]
