"""What can be set about a training run: one typed value per option, SageMaker's SM_* variables as defaults."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

from training import failure

Mode = Literal["frozen", "full"]
Precision = Literal["auto", "fp32"]

# The options that decide the result, and so belong in the manifest and in a job's name. Paths do not.
_PLACES = (
    "data",
    "model_dir",
    "output_dir",
    "report_dir",
    "checkpoint_dir",
    "checkpoint_every",
    "workers",
    "photo_memory_gib",
)

_RECIPES: dict[str, dict[str, float]] = {
    "frozen": {"learning_rate": 0.001, "weight_decay": 1.0, "label_smoothing": 0.0},
    "full": {"learning_rate": 0.00005, "weight_decay": 0.05, "label_smoothing": 0.0},
    "from nothing": {"learning_rate": 0.001, "weight_decay": 0.05, "label_smoothing": 0.1},
}
"""The defaults that differ: a head alone needs holding back, a network that knows something must not forget it, and one
that knows nothing needs doubt (docs/decisions/0031). The last is full mode without pretrained weights."""


BY_RECIPE = cast(float, None)
"""Stands for what the mode's recipe has. No Config holds it: the recipe's value takes its place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    data: Path
    """Folder with train/, valid/ and test/, each with one folder of photos per breed."""
    model_dir: Path
    """Where the artifact goes. Only global rank 0 writes: SageMaker merges this folder over all hosts."""
    output_dir: Path | None = None
    """Where `failure` is written when the run fails; SageMaker shows its first 1024 characters."""
    report_dir: Path | None = None
    """Where index.html shows the result to people. None: nowhere."""
    checkpoint_dir: Path | None = None
    """Where each epoch is saved, and from where a restarted run resumes. None: nothing is saved."""
    checkpoint_every: int = 1
    """Epochs from one checkpoint to the next; the last epoch is always saved."""
    mode: Mode = "frozen"
    """frozen: features of the pretrained backbone once, then only the head learns. full: every weight learns."""
    pretrained: str = "imagenet"
    """A .safetensors file with torchvision resnet50 weights, `imagenet` (torchvision's, downloaded), or `none`."""
    epochs: int = 20
    batch_size: int = 64
    """Photos per step over all processes together, so that the result does not depend on how many there are."""
    learning_rate: float = BY_RECIPE
    """Peak of AdamW's rate: a linear rise, then half a cosine."""
    weight_decay: float = BY_RECIPE
    """AdamW's, which the rate multiplies. Biases and norm layers have none."""
    label_smoothing: float = BY_RECIPE
    """Share of the target that goes to the other breeds."""
    image_size: int = 224
    """Pixels of each side of the network's input. Smaller is faster and sees less."""
    precision: Precision = "auto"
    """auto: the artifact is int8 where its answers on `valid` stay the same, else fp32. fp32: always fp32."""
    seed: int = 0
    workers: int | None = None
    """Threads that cut photos to size while the network trains, in full mode. None: as many as there are cores."""
    photo_memory_gib: float | None = None
    """Full mode: training photos that each process keeps decoded, at about 0.4 MB each; the others are decoded again in
    every epoch, with the same result. None: half of the memory that is free."""

    def __post_init__(self) -> None:
        for name, value in self._recipe().items():
            if getattr(self, name) is BY_RECIPE:
                object.__setattr__(self, name, value)
        for name, low, high in (
            ("epochs", 1, 10_000),
            ("checkpoint_every", 1, 10_000),
            ("batch_size", 1, 65_536),
            ("image_size", 32, 1024),
            ("learning_rate", 1e-8, 100.0),
            ("weight_decay", 0.0, 10.0),
            ("label_smoothing", 0.0, 0.9),
            ("seed", 0, 2**32 - 1),
            ("workers", 1, 256),
            ("photo_memory_gib", 0.0, 65_536.0),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:  # a NaN is not within either
                option = name.replace("_", "-")
                raise ValueError(f"--{option} is {value}; it must be between {low} and {high}.")
        if self.mode == "frozen" and self.pretrained == "none":
            raise ValueError(
                "--mode frozen needs pretrained weights, but --pretrained is none; use --mode full or name a file."
            )

    def _recipe(self) -> dict[str, float]:
        return _RECIPES["from nothing" if self.mode == "full" and self.pretrained == "none" else self.mode]

    def hyperparameters(self) -> dict[str, Any]:
        """What decides the result, for the manifest."""
        values = {name: value for name, value in asdict(self).items() if name not in _PLACES}
        values["pretrained"] = Path(self.pretrained).name
        return values

    @classmethod
    def from_command_line(
        cls, arguments: Sequence[str] | None = None, *, defaults: Mapping[str, Path] | None = None
    ) -> "Config":
        """Parse sys.argv (or `arguments`). Ends the program with a sentence where a value is impossible.

        `defaults` take the place of SageMaker's variables, for the folders.
        """
        parser = _parser(defaults or {})
        parsed = vars(parser.parse_args(arguments))
        try:
            return cls(**parsed)
        except ValueError as error:
            parser.error(str(error))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an option where SageMaker looks for it, too."""

    def error(self, message: str) -> NoReturn:
        failure.record(Path(os.environ["SM_OUTPUT_DIR"]) if "SM_OUTPUT_DIR" in os.environ else None, message)
        super().error(message)


def _parser(folders: Mapping[str, Path]) -> argparse.ArgumentParser:
    default = {field.name: field.default for field in fields(Config)}
    channel = folders.get("data") or os.environ.get("SM_CHANNEL_DATA") or os.environ.get("SM_CHANNEL_TRAINING")
    model_dir = folders.get("model_dir") or os.environ.get("SM_MODEL_DIR")
    output_data = os.environ.get("SM_OUTPUT_DATA_DIR")
    # SAGEMAKER_BASE_DIR stands for /opt/ml where AWS's toolkits, or the rehearsal, run outside a container.
    base = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
    checkpoints = folders.get("checkpoint_dir") or (f"{base}/checkpoints" if "SM_HOSTS" in os.environ else None)
    parser = _Parser(
        description="Train ResNet50 on folders of photos and write an artifact that inference.Classifier has loaded.",
        epilog="example: python -m training.train --data dogImages --model-dir build/model --pretrained FILE",
        allow_abbrev=False,  # a hyperparameter with a slip in its name must not pass for another
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=channel,
        required=channel is None,
        help="train/, valid/ and test/ within",
    )
    parser.add_argument(
        "--model-dir",
        type=Path,
        metavar="DIR",
        default=model_dir,
        required=model_dir is None,
        help="the artifact goes here",
    )
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", default=os.environ.get("SM_OUTPUT_DIR"), help="`failure` goes here"
    )
    parser.add_argument(
        "--report-dir",
        type=Path,
        metavar="DIR",
        default=folders.get("report_dir") or (f"{output_data}/report" if output_data else None),
        help="the result as a page, index.html (default on SageMaker: report/ in the job's output; elsewhere: off)",
    )
    parser.add_argument(
        "--checkpoint-dir",
        type=Path,
        metavar="DIR",
        default=checkpoints,
        help="save each epoch here and resume from here (default on SageMaker: /opt/ml/checkpoints; elsewhere: off)",
    )
    parser.add_argument(
        "--checkpoint-every", type=int, default=default["checkpoint_every"], help="epochs (%(default)s)"
    )
    parser.add_argument("--mode", choices=["frozen", "full"], default=default["mode"], help="default: %(default)s")
    parser.add_argument(
        "--pretrained",
        metavar="FILE",
        default=os.environ.get("SM_CHANNEL_PRETRAINED", default["pretrained"]),
        help="weights: a file, a folder that holds one, `imagenet` to download, or `none` (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=default["epochs"], help="default: %(default)s")
    parser.add_argument(
        "--batch-size", type=int, default=default["batch_size"], help="over all processes (%(default)s)"
    )
    parser.add_argument("--learning-rate", type=float, help=f"peak; default: {_of_each_recipe('learning_rate')}")
    parser.add_argument("--weight-decay", type=float, help=f"default: {_of_each_recipe('weight_decay')}")
    parser.add_argument("--label-smoothing", type=float, help=f"default: {_of_each_recipe('label_smoothing')}")
    parser.add_argument("--image-size", type=int, default=default["image_size"], help="pixels (default: %(default)s)")
    parser.add_argument("--precision", choices=["auto", "fp32"], default=default["precision"], help="of the artifact")
    parser.add_argument("--seed", type=int, default=default["seed"], help="default: %(default)s")
    parser.add_argument("--workers", type=int, help="threads that cut photos in full mode (default: one for each core)")
    parser.add_argument(
        "--photo-memory-gib",
        type=float,
        metavar="GIB",
        help="decoded photos that full mode keeps, in each process (default: half of the free memory)",
    )
    return parser


def _of_each_recipe(name: str) -> str:
    return ", ".join(f"{values[name]} ({recipe})" for recipe, values in _RECIPES.items())
