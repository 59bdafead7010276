"""The options of a training run: those of contract/options.py, and paths and limits of the machine it runs on.

The command line is generated from the declarations. SageMaker's SM_* variables are the defaults of the paths.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NoReturn

from contract.declarations import Declaration, Range, declarations
from contract.options import RECIPES, Recipe, TrainingOptions, option_name, recipe
from training import failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(TrainingOptions):
    """Raises ValueError for a value out of range: one sentence that names the option, its value and the range."""

    pretrained: str = "imagenet"
    """Weights to start from: a .safetensors file with the backbone's weights, a folder that holds one such file,
    `imagenet` (torchvision's weights, downloaded), or `none`."""
    data: Path
    """Folder with train/, valid/ and test/, each with one folder of photos per breed."""
    links_to: Path | None = None
    """Folder outside of the data folder that symbolic links in it may lead to (none)."""
    model_dir: Path
    """Folder for the artifact. Only global rank 0 writes to it, because SageMaker merges this folder over all hosts."""
    output_dir: Path | None = None
    """Folder for the file `failure`, written if the run fails; SageMaker shows its first 1024 characters."""
    report_dir: Path | None = None
    """Folder for the report, index.html (on SageMaker: report/ in the job's output; elsewhere: no report)."""
    checkpoint_dir: Path | None = None
    """Folder for checkpoints, from which the same command resumes (on SageMaker: /opt/ml/checkpoints; elsewhere: no
    checkpoints)."""
    checkpoint_every: Annotated[int, Range(1, 10_000, unit="epochs")] = 1
    """Epochs between two checkpoints. The last epoch is always saved."""
    workers: Annotated[int, Range(1, 256)] | None = None
    """Threads that crop photos in full mode; with a GPU processes (one per core)."""
    photo_memory_gib: Annotated[float, Range(0.0, 65_536.0, unit="GiB")] | None = None
    """Memory in GiB for decoded training photos in full mode, per process, at about 0.4 MB a photo. The other photos
    are decoded again in every epoch; the result is the same (half of the free memory)."""

    def __post_init__(self) -> None:
        for name, declared in declarations(Config).items():
            if error := declared.error(f"--{option_name(name)}", getattr(self, name)):
                raise ValueError(error)
        if self.mode == "frozen" and not self.starts_pretrained:
            raise ValueError(
                "--mode frozen needs pretrained weights, but --pretrained is none; use --mode full or name a file."
            )

    @property
    def starts_pretrained(self) -> bool:
        """Whether the run starts from pretrained weights, not from random ones."""
        return self.pretrained != "none"

    @property
    def recipe(self) -> Recipe:
        """Learning rate, weight decay and label smoothing of the run: the options, else the mode's defaults."""
        defaults = asdict(recipe(self.mode, pretrained=self.starts_pretrained))
        given = {name: getattr(self, name) for name in defaults}
        return Recipe(**{name: defaults[name] if value is None else value for name, value in given.items()})

    def hyperparameters(self) -> dict[str, Any]:
        """What decides the result, for the manifest."""
        options = {field.name: getattr(self, field.name) for field in fields(TrainingOptions)}
        return {**options, **asdict(self.recipe), "pretrained": self._weights_name()}

    def _weights_name(self) -> str:
        """The name of the file: a channel's folder always has the same name, and the file's says which weights."""
        path = Path(self.pretrained)
        files = [] if self.pretrained in ("imagenet", "none") else list(path.glob("*.safetensors"))
        return files[0].name if len(files) == 1 else path.name

    @classmethod
    def from_command_line(
        cls, arguments: Sequence[str] | None = None, *, defaults: Mapping[str, Path] | None = None
    ) -> "Config":
        """Parse sys.argv (or `arguments`). Exits with a sentence on stderr if a value is impossible.

        defaults: paths by field name; they take precedence over SageMaker's variables.
        """
        parser = _parser({**_sagemaker_paths(), **(defaults or {})})
        parsed = vars(parser.parse_args(arguments))
        try:
            return cls(**parsed)
        except ValueError as error:
            parser.error(str(error))


class _Parser(argparse.ArgumentParser):
    """Also writes the error to the files that SageMaker and torchrun take the reason from."""

    def error(self, message: str) -> NoReturn:
        failure.record(Path(os.environ["SM_OUTPUT_DIR"]) if "SM_OUTPUT_DIR" in os.environ else None, message)
        failure.tell_torchrun(message)
        super().error(message)


def _parser(defaults: Mapping[str, Path | str]) -> argparse.ArgumentParser:
    parser = _Parser(
        description="Train ResNet50 on folders of photos and write an artifact that inference.Classifier has loaded.",
        epilog="example: python -m training.train --data dogImages --model-dir build/model --pretrained FILE",
        allow_abbrev=False,  # a misspelt hyperparameter must not pass for another one
    )
    for declared in declarations(Config).values():
        default = defaults.get(declared.name, declared.default)
        required = default is MISSING
        parser.add_argument(
            f"--{option_name(declared.name)}",
            type=declared.type,
            metavar=_metavar(declared),
            default=None if required else default,
            required=required,
            help=_help(declared, default).replace("%", "%%"),
        )
    return parser


def _metavar(declared: Declaration) -> str:
    if declared.choices:
        return "{" + ",".join(declared.choices) + "}"
    return {int: "N", float: "X", Path: "DIR"}.get(declared.type, "FILE")


def _help(declared: Declaration, default: object) -> str:
    if declared.name in Recipe.__dataclass_fields__:
        by_mode = ", ".join(f"{getattr(values, declared.name)} ({mode})" for mode, values in RECIPES.items())
        return f"{declared.doc} Default: {by_mode}."
    return declared.doc if default is MISSING or default is None else f"{declared.doc} Default: {default}."


def _sagemaker_paths() -> dict[str, Path | str]:
    """What SageMaker's variables say about paths, by field name; empty outside SageMaker."""
    env = os.environ
    # SAGEMAKER_BASE_DIR replaces /opt/ml where AWS's toolkit, or the rehearsal, runs outside a container.
    base = env.get("SAGEMAKER_BASE_DIR", "/opt/ml")
    output_data = env.get("SM_OUTPUT_DATA_DIR")
    paths = {
        "data": env.get("SM_CHANNEL_DATA") or env.get("SM_CHANNEL_TRAINING"),
        "model_dir": env.get("SM_MODEL_DIR"),
        "output_dir": env.get("SM_OUTPUT_DIR"),
        "report_dir": f"{output_data}/report" if output_data else None,
        "checkpoint_dir": f"{base}/checkpoints" if "SM_HOSTS" in env else None,
    }
    found: dict[str, Path | str] = {name: Path(path) for name, path in paths.items() if path}
    if pretrained := env.get("SM_CHANNEL_PRETRAINED"):
        found["pretrained"] = pretrained
    return found
