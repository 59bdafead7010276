"""What another training changes of the deployed request, and the settings with which a deploy has the same job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from contract.declarations import declarations
from contract.options import TrainingOptions, option_name
from contract.photos import is_digest
from environments import Environment
from environments.suggestions import did_you_mean
from ops.retrain.errors import RetrainError
from stacks.settings.parse import load
from stacks.training.handler.request import JobRequest, Location


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """The changes that the options of `kennel retrain` ask for."""

    options: Mapping[str, str]
    """Hyperparameters by their names among the settings, such as `batch_size`."""
    data: Location | None
    instances: int | None
    longest_s: int

    @classmethod
    def of(cls, *, given: Sequence[str], data: str | None, instances: int | None, longest_h: float) -> "Changes":
        """From the command line. given: NAME=VALUE. Raises RetrainError for a text that is none of that."""
        location = None
        if data is not None:
            bucket, _, prefix = data.removeprefix("s3://").strip("/").partition("/")
            if not data.startswith("s3://") or not prefix:
                raise RetrainError(f"--data is {data!r}, but must be s3://BUCKET/PREFIX/, the folder with train/.")
            location = Location(bucket=bucket, prefix=f"{prefix}/")
        options: dict[str, str] = {}
        for name, text in map(_option, given):
            if options.setdefault(name, text) != text:
                raise RetrainError(f"--set: {name} is {options[name]} and {text}, but one job has one value. Name one.")
        return cls(options=options, data=location, instances=instances, longest_s=round(longest_h * 3600))

    def checked(self, environment: Environment, request: JobRequest) -> "Changes":
        """The same with each value as a deploy writes it. The deployed job with these changes has kept every rule.

        Raises SettingsError for a value that the setting may not have, such as a batch that the instances cannot share.
        """
        known = {option_name(name): name for name in declarations(TrainingOptions)}
        deployed = {known[name]: text for name, text in request.hyperparameters.items() if name in known}
        values = {
            "instance_type": request.instance_type,
            "instance_count": str(self.instances or request.instance_count),
            "pretrained_uri": request.hyperparameters.get("pretrained", ""),
            **deployed,
            **self.options,
        }
        training = load(environment, {f"training.{name}": value for name, value in values.items()}).training
        return replace(self, options={name: str(getattr(training, name)) for name in self.options})

    def applied(self, request: JobRequest) -> JobRequest:
        """The request with these changes.

        The digest of a deploy is left out: the photos that are in the bucket now are meant. A name that the operator
        chose for them is kept, if they are at the same place.

        Raises RetrainError for photos that the job's role may not read.
        """
        data = self.data or request.data
        if data.bucket != request.data.bucket or not data.prefix.startswith(request.data.prefix):
            raise RetrainError(
                f"--data is {data.uri}, but the job's role may read {request.data.uri} alone. Copy the photos to a "
                f"folder below it (kennel data upload DIR {request.data.uri}NAME), or deploy once with "
                f"training.data_uri={data.uri}"
            )
        named = request.data_version if not is_digest(request.data_version) and data == request.data else ""
        waits_s = request.max_wait_s - request.max_runtime_s  # for spare instances
        return replace(
            request,
            hyperparameters={**request.hyperparameters, **{option_name(name): v for name, v in self.options.items()}},
            data=data,
            data_version=named,
            instance_count=self.instances or request.instance_count,
            max_runtime_s=self.longest_s,
            max_wait_s=self.longest_s + waits_s if request.max_wait_s else 0,
        )

    def settings(self) -> dict[str, str]:
        """The settings under `training` with which a deploy has the same job, as values of TOML."""
        types = {name: declaration.type for name, declaration in declarations(TrainingOptions).items()}
        found = {name: f'"{value}"' if types[name] is str else value for name, value in self.options.items()}
        if self.data:
            found["data_uri"] = f'"{self.data.uri}"'
        if self.instances:
            found["instance_count"] = str(self.instances)
        return found


def _option(pair: str) -> tuple[str, str]:
    """The name of a setting under `training`, which is also an option of the training, and its text."""
    name, equals, text = pair.partition("=")
    known = declarations(TrainingOptions)
    field = name.replace("-", "_")
    if field not in known:
        every = f"The options are {', '.join(known)}."
        raise RetrainError(
            f"--set: {name!r} is no option of the training. {did_you_mean(field, known, otherwise=every)}"
        )
    if not equals or not text:
        raise RetrainError(f"--set: {name} has no value. Write {name}=VALUE.")
    return field, text
