"""Errors that end a command with one sentence, without a traceback."""

import errno
import os

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""Python names no file in these errors, because they occur while data is written to one that is open."""

SENTENCES = frozenset(
    {
        "environments.environment.EnvironmentRefusedError",
        "inference.artifact.ArtifactError",
        "inference.drift.errors.DriftError",
        "ops.capacity.errors.CapacityError",
        "ops.audit.run.AuditError",
        "ops.cost.price_table.CostError",
        "ops.data.aws_errors.BucketError",
        "ops.data.split.errors.SplitError",
        "ops.deploy.errors.DeployRefusedError",
        "ops.model.report.ReportError",
        "ops.operate.account.AccountError",
        "ops.models.errors.ModelsError",
        "ops.output_path.OutputPathError",
        "ops.rehearse.errors.RehearsalError",
        "ops.retrain.errors.RetrainError",
        "ops.serve.run.PortError",
        "ops.targets.reply.TargetError",
        "rehearsal.aws.runtime_api.FunctionError",
        "rehearsal.cloud.own_folder.FolderRefusedError",
        "rehearsal.hosts.namespaces.NamespacesRefusedError",
        "rehearsal.hosts.training_job.TrainingJobFailedError",
        "rehearsal.processes.ProcessFailedError",
        "stacks.settings.rules.SettingsError",
        "sample_dogs.dataset.SampleFolderError",
        "sample_dogs.dataset.SampleRequestError",
        "training.data.dataset.DataError",
        "training.model.weights_file.WeightsError",
    }
)
"""Exceptions whose message is a sentence for the user. By name: the packages of the other commands may be missing."""


def is_sentence(error: Exception) -> bool:
    """Whether the message is written for the user, or names the file that the system refused."""
    if isinstance(error, OSError) and (error.filename is not None or error.errno in NO_SPACE):
        return True
    return any(f"{kind.__module__}.{kind.__qualname__}" in SENTENCES for kind in type(error).__mro__)


def sentence(error: Exception) -> str:
    """The message of such an error; for the system's, the path and the reason without its number."""
    if isinstance(error, OSError) and error.filename is None and error.errno in NO_SPACE:
        return f"What this command writes has no space left ({error.strerror}). Free some space, then try again."
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    paths = " and ".join(os.fsdecode(path) for path in (error.filename, error.filename2) if path is not None)
    return f"{paths}: {error.strerror}. Name another path, or correct what is there, then try again."
