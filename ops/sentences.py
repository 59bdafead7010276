"""Errors that end a command with one sentence, without a traceback."""

SENTENCES = frozenset(
    {
        "environments.environment.EnvironmentRefusedError",
        "inference.artifact.ArtifactError",
        "ops.cost.price_table.CostError",
        "ops.data.aws_errors.BucketError",
        "ops.data.split.errors.SplitError",
        "ops.deploy.errors.DeployRefusedError",
        "ops.model.report.ReportError",
        "ops.rehearse.errors.RehearsalError",
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
    if isinstance(error, OSError) and error.filename is not None:
        return True
    return any(f"{kind.__module__}.{kind.__qualname__}" in SENTENCES for kind in type(error).__mro__)
